/**
 * Convolution and its input gradient with tiles in workgroup memory, for GPUs: shaders/conv2dWorkgroup.wgsl. The weight
 * gradient is in weightWorkgroup.ts.
 */
import type { Gpu } from '../../gpu/gpu';
import { sizeOf } from '../../hostTensor';
import source from '../../../shaders/conv2dWorkgroup.wgsl?raw';
import tileLib from '../../../shaders/lib/workgroupTile.wgsl?raw';
import type { ConvInputOperands, ConvOperands, ConvShape } from './conv2d';
import { conv2dShape, forwardWalks, inputWalks, walkParams, type Walk } from './shape';
import { floatOf } from '../cast';
import { epilogueBindings, epilogueParams } from '../products/epilogue';
import { EpilogueKernel, elementSpec } from '../products/epilogueKernel';
import type { Candidate } from '../products/family';
import { inParts } from '../products/splitSum';
import { GRID, rankPlans, tileSpec, type Plan } from '../products/workgroupTile';

const kernel = new EpilogueKernel('conv2d_workgroup', 'conv2d_workgroup', [tileLib, source]);

/** Groups of fewer columns leave most of each tile empty: kernels without workgroup memory do better. */
export const FEW = 16;

/** One direction of a convolution, as the kernel sees it. */
interface Gather {
  /** Along each axis, the walks of which every pair is a dispatch. */
  readonly rows: readonly Walk[];
  readonly cols: readonly Walk[];
  readonly images: number;
  readonly groups: number;
  /** Of one group, in the source and in the target. */
  readonly channels: number;
  readonly columns: number;
  /** Distances in the weight. */
  readonly weight_tap: number;
  readonly weight_stride: number;
  readonly weight_group: number;
  /** The weight lies along the source's channels: the input gradient. */
  readonly rightAlong: boolean;
  /** No padding of a tap's channels. */
  readonly flat: boolean;
}

export function workgroupConvCandidates(gpu: Gpu, { x, weight, options }: ConvShape): Candidate<ConvOperands>[] {
  const shape = conv2dShape(x, weight, options);
  const { groups } = options;
  const [kh, kw, channels, out] = weight;
  const [rows, cols] = forwardWalks(shape, weight, options).map((walk) => [walk]);
  const distances = { weight_tap: channels * out, weight_stride: out, weight_group: out / groups };
  return candidates(gpu, {
    rows, cols, images: shape[0], groups, channels, columns: out / groups, ...distances, rightAlong: false, flat: isFlat(kh * kw, channels),
  });
}

export function workgroupInputCandidates(gpu: Gpu, { x, weight, options }: ConvShape): Candidate<ConvInputOperands>[] {
  const { groups } = options;
  const [kh, kw, columns, out] = weight;
  const [rows, cols] = inputWalks(x, weight, options);
  const distances = { weight_tap: columns * out, weight_stride: out, weight_group: out / groups };
  const found = candidates(gpu, {
    rows, cols, images: x[0], groups, channels: out / groups, columns, ...distances, rightAlong: true, flat: isFlat(kh * kw, out / groups),
  });
  return found.map(({ id, run }) => ({ id, run: ({ dy, weight: w, out: dx }) => run({ x: dy, weight: w, out: dx }) }));
}

/** Whether padding each tap's channels to 16 would waste more than a sixth of the work. */
function isFlat(taps: number, channels: number): boolean {
  return taps > 1 && Math.ceil(channels / 16) * 16 > 1.2 * channels;
}

function candidates(gpu: Gpu, gather: Gather): Candidate<ConvOperands>[] {
  if (gather.groups > 1 && gather.columns < FEW) return [];
  const { rows, cols, images, groups, channels, columns, rightAlong, flat } = gather;
  const most = (walks: readonly Walk[], of: (walk: Walk) => number): number => Math.max(...walks.map(of));
  const m = images * most(rows, ({ extent }) => extent) * most(cols, ({ extent }) => extent);
  const taps = most(rows, (walk) => walk.taps) * most(cols, (walk) => walk.taps);
  const depthSteps = (depth: number): number => (flat ? Math.ceil((taps * channels) / depth) : taps * Math.ceil(channels / depth));
  return rankPlans(gpu, { m, n: columns, groups, depthSteps, leftAlong: true, rightAlong })
    .filter(({ tile }) => Math.max(m / tile.m, groups * Math.ceil(columns / tile.n)) <= GRID)
    .map((plan) => ({ id: plan.id, run: (operands) => inParts(gpu, plan.splits, operands, (parts) => run(gather, parts, plan)) }));
}

function run(gather: Gather, operands: ConvOperands, { tile, splits, steps }: Plan): void {
  const { x, weight, out } = operands;
  const { rows, cols, images, groups, channels, columns, weight_tap, weight_stride, weight_group, rightAlong, flat } = gather;
  const target = out.shape.slice(-4);
  const shared = {
    kernel_x: weight.shape[1], groups, channels, columns, weight_tap, weight_stride, weight_group, steps,
    target_y: target[1], target_x: target[2], source_y: x.shape[1], source_x: x.shape[2],
    part: sizeOf(target), ...epilogueParams(operands),
  };
  const dtype = floatOf(x);
  const elements = {
    ...tileSpec(tile, { leftAlong: true, rightAlong }), ...elementSpec('X', channels, dtype), ...elementSpec('W', rightAlong ? channels : columns, dtype),
  };
  const bindings = { x: x.storage, weight: weight.storage, ...epilogueBindings(operands, weight), out: out.storage };
  for (const y of rows) {
    for (const xs of cols) {
      const pixels = images * y.extent * xs.extent;
      const spec = flat ? { ...elements, FLAT: 'true', CHANNELS: channels, TAPS_X: Math.max(1, xs.taps) } : elements;
      const grid = [groups * Math.ceil(columns / tile.n), Math.ceil(pixels / tile.m), splits] as const;
      const variant = kernel.variant(columns, { dtype, out: floatOf(out) }, spec);
      x.gpu.dispatch(variant, bindings, { pixels, ...shared, ...walkParams(y, xs) }, grid);
    }
  }
}
