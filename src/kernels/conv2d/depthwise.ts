/**
 * Convolutions in groups of one channel (depthwise), and in groups of few channels that come in fours, which would leave
 * most of a matrix product's tile empty: shaders/depthwise.wgsl and shaders/depthwiseWeight.wgsl.
 */
import type { Gpu } from '../../gpu/gpu';
import { Kernel } from '../../gpu/kernel';
import { sizeOf } from '../../hostTensor';
import { Tensor, type FloatDtype } from '../../tensor';
import depthwiseLib from '../../../shaders/lib/depthwise.wgsl?raw';
import gridLib from '../../../shaders/lib/grid.wgsl?raw';
import groupedLib from '../../../shaders/lib/grouped.wgsl?raw';
import gatherSource from '../../../shaders/depthwise.wgsl?raw';
import halfLib from '../../../shaders/lib/half.wgsl?raw';
import weightSource from '../../../shaders/depthwiseWeight.wgsl?raw';
import { columnType, floatOf } from '../cast';
import type { ConvInputOperands, ConvOperands, ConvShape, ConvWeightOperands } from './conv2d';
import { conv2dShape, forwardWalks, inputWalks, walkParams, type Walk } from './shape';
import { epilogueBindings, epilogueParams } from '../products/epilogue';
import type { Candidate } from '../products/family';
import { elements } from '../launch';
import { sum } from '../reduce';

const kernels = {
  depthwise: inBoth('depthwise', 'depthwise', [gridLib, depthwiseLib, gatherSource]),
  grouped: inBoth('depthwise (groups of fours)', 'depthwise', [gridLib, groupedLib, gatherSource]),
  weight: inBoth('depthwise_weight', 'depthwise_weight', [weightSource]),
};

function inBoth(name: string, entry: string, sources: readonly string[]): Readonly<Record<FloatDtype, Kernel>> {
  return { f32: new Kernel(name, sources, entry), f16: new Kernel(`${name} f16`, [halfLib, ...sources], entry) };
}

/**
 * Rows and columns of targets that an invocation computes: the taller, the fewer sources are read twice, and the more
 * registers it takes. A CPU adapter, to which a load is dear, gains from the tallest while the taps are few.
 */
function tiles(gpu: Gpu, taps: number): readonly (readonly [number, number])[] {
  const tall = gpu.adapter.software && taps <= 9;
  return tall ? [[4, 4], [2, 4], [1, 4]] : [[2, 4], [1, 4], [4, 4]];
}

/** Kernels of more taps would not fit into registers. */
const MOST_TAPS = 49;

/** Channels of a group up to which it is computed here rather than as a matrix product. */
const MOST_CHANNELS = 16;

/** Output pixels that are added up in one run at most; longer sums lose digits. */
const PIXELS = 4096;

type Groups = 'depthwise' | 'grouped';

export function depthwiseCandidates(gpu: Gpu, { x, weight, options }: ConvShape): Candidate<ConvOperands>[] {
  const kind = kindOf(gpu, weight, options.groups);
  const shape = conv2dShape(x, weight, options);
  const [rows, cols] = forwardWalks(shape, weight, options).map((walk) => [walk]);
  return kind ? candidates(kind, rows, cols, options.groups, false, tiles(gpu, weight[0] * weight[1])) : [];
}

export function depthwiseInputCandidates(gpu: Gpu, { x, weight, options }: ConvShape): Candidate<ConvInputOperands>[] {
  const kind = kindOf(gpu, weight, options.groups);
  const [rows, cols] = inputWalks(x, weight, options);
  // A residue that no tap reaches has nothing to gather; other algorithms write its zeros.
  if (!kind || [...rows, ...cols].some(({ taps }) => taps === 0)) return [];
  const found = candidates(kind, rows, cols, options.groups, true, tiles(gpu, weight[0] * weight[1]));
  return found.map(({ id, run }) => ({ id, run: ({ dy, weight: w, out }) => run({ x: dy, weight: w, out }) }));
}

export function depthwiseWeightCandidates(gpu: Gpu, shape: ConvShape): Candidate<ConvWeightOperands>[] {
  if (kindOf(gpu, shape.weight, shape.options.groups) !== 'depthwise') return [];
  return [{ id: 'depthwise', run: (operands) => weightGradient(gpu, shape, operands) }];
}

/** Which of the kernels fits, if any. */
function kindOf({ adapter }: Gpu, [kh, kw, channels, out]: readonly number[], groups: number): Groups | undefined {
  if (kh * kw > MOST_TAPS || groups === 1) return undefined;
  if (channels === 1 && out === groups) return 'depthwise';
  // A CPU adapter's registers take narrow products as well.
  if (adapter.software) return undefined;
  const wide = out / groups;
  return channels % 4 === 0 && wide % 4 === 0 && Math.max(channels, wide) <= MOST_CHANNELS ? 'grouped' : undefined;
}

function candidates(
  kind: Groups,
  rows: readonly Walk[],
  cols: readonly Walk[],
  groups: number,
  turned: boolean,
  sizes: readonly (readonly [number, number])[],
): Candidate<ConvOperands>[] {
  return sizes.map((tile) => ({
    id: `${kind} ${tile.join('x')}`,
    run(operands) {
      for (const y of rows) for (const x of cols) gather(kind, operands, y, x, groups, turned, tile);
    },
  }));
}

function gather(kind: Groups, operands: ConvOperands, y: Walk, x: Walk, groups: number, turned: boolean, tile: readonly [number, number]): void {
  const { x: source, weight, out } = operands;
  const [channels, columns] = [source.shape[3], out.shape[3]];
  const width = columns % 4 === 0 ? 4 : 1;
  const [walkY, walkX] = [forwards(y), forwards(x)];
  const dtype = floatOf(source);
  const constants = {
    Column: columnType(width, 'f32'), Stored: columnType(width, dtype),
    TILE_Y: tile[0], TILE_X: tile[1],
    TAPS_Y: y.taps, TAPS_X: x.taps, STRIDE_Y: y.stride, STRIDE_X: x.stride, STEP_Y: walkY.step, STEP_X: walkX.step,
  };
  const grouped = { DEEP: channels / groups / 4, WIDE: columns / groups / 4, TURNED: String(turned) };
  const kernel = kernels[kind][dtype].variant({ spec: kind === 'grouped' ? { ...constants, ...grouped } : constants });
  const invocations = (out.shape[0] * Math.ceil(y.extent / tile[0]) * Math.ceil(x.extent / tile[1]) * columns) / width;
  const { stride_y, stride_x, step_y, step_x, taps_y, taps_x, ...walks } = walkParams(walkY, walkX);
  source.gpu.dispatch(
    kernel,
    { x: source.storage, weight: weight.storage, ...epilogueBindings(operands, weight), out: out.storage },
    {
      invocations, ...walks,
      target_y: out.shape[1], target_x: out.shape[2], source_y: source.shape[1], source_x: source.shape[2],
      kernel_x: weight.shape[1], columns: columns / width, source_columns: channels / width, ...epilogueParams(operands),
    },
    elements(invocations),
  );
}

/** The same walk with its taps in the order of the positions they read. */
function forwards(walk: Walk): Walk {
  if (walk.step >= 0) return walk;
  const last = walk.taps - 1;
  return { ...walk, offset: walk.offset + last * walk.step, step: -walk.step, tapFirst: walk.tapFirst + last * walk.tapStep, tapStep: -walk.tapStep };
}

function weightGradient(gpu: Gpu, { weight, options }: ConvShape, { x, dy, out }: ConvWeightOperands): void {
  const { stride, padding, dilation } = options;
  const [kh, kw, , channels] = weight;
  const [images, outY, outX] = dy.shape;
  const width = channels % 4 === 0 ? 4 : 1;
  const columns = channels / width;
  const dtype = floatOf(x);
  // All rows of a kernel that fits into registers, else one: each reads the gradient again.
  const own = kh * kw <= 9 ? kh : 1;
  const tile = [4, 7, 3, 2].find((t) => outX % t === 0) ?? 4;
  const invocations = (columns * kh) / own;
  const rows = images * outY;
  const wanted = Math.max(Math.ceil((gpu.adapter.software ? 64 : 16384) / invocations), Math.ceil((rows * outX) / PIXELS));
  const chunk = Math.ceil(rows / Math.min(rows, wanted));
  const chunks = Math.ceil(rows / chunk);
  const partial = chunks === 1 ? out : Tensor.empty(gpu, [chunks, sizeOf(out.shape)]);
  gpu.dispatch(
    kernels.weight[dtype].variant({
      spec: {
        Column: columnType(width, 'f32'), Stored: columnType(width, dtype),
        TILE_X: tile, OWN_Y: own, TAPS_X: kw, STRIDE_Y: stride[0], STRIDE_X: stride[1], STEP_X: dilation[1], RAGGED: String(outX % tile !== 0),
      },
    }),
    { x: x.storage, dy: dy.storage, out: partial.storage },
    {
      invocations, image_rows: rows, chunk, out_y: outY, out_x: outX, source_y: x.shape[1], source_x: x.shape[2],
      padding_y: padding[0], padding_x: padding[1], dilation_y: dilation[0], kernel_y: kh, columns,
    },
    [Math.ceil(invocations / 64), chunks],
  );
  if (partial === out) return;
  sum(partial, [0], { out: out.view([sizeOf(out.shape)]) });
  partial.dispose();
}
