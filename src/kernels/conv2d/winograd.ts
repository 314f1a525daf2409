/**
 * Winograd's convolution for 3 x 3 kernels, stride 1 (Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks",
 * 2015): `tile` x `tile` outputs from (tile + 2)² products, where the direct method needs 9 tile²: 2.25 times fewer with
 * tiles of 2, 4 times with tiles of 4. The image's patches and the kernels are transformed, multiplied channel by channel
 * as (tile + 2)² matrices, and transformed back. The input gradient is the same with the kernel turned round.
 *
 * Errors relative to the largest output, with 64 to 512 channels: tiles of 2 up to 9e-7, tiles of 4 up to 3e-6, where
 * the direct method has up to 3e-6. A NaN or an infinity in the input spreads over the tiles whose patch holds it, as
 * NaN: the outputs that the direct method spoils are among them.
 */
import type { Storage } from '../../gpu/buffers';
import type { Gpu } from '../../gpu/gpu';
import { Kernel } from '../../gpu/kernel';
import { keep, Tensor, type FloatDtype } from '../../tensor';
import halfLib from '../../../shaders/lib/half.wgsl?raw';
import gridLib from '../../../shaders/lib/grid.wgsl?raw';
import by2Lib from '../../../shaders/lib/winograd2.wgsl?raw';
import by4Lib from '../../../shaders/lib/winograd4.wgsl?raw';
import backSource from '../../../shaders/winogradBack.wgsl?raw';
import gradientSource from '../../../shaders/winogradGradient.wgsl?raw';
import inputSource from '../../../shaders/winogradInput.wgsl?raw';
import outputSource from '../../../shaders/winogradOutput.wgsl?raw';
import weightSource from '../../../shaders/winogradWeight.wgsl?raw';
import type { ConvInputOperands, ConvOperands, ConvShape } from './conv2d';
import { conv2dShape } from './shape';
import { epilogueBindings, epilogueParams, type Epilogue } from '../products/epilogue';
import type { Candidate } from '../products/family';
import { columnType, floatOf } from '../cast';
import { elements } from '../launch';
import { launchMatmul } from '../matmul/matmul';

type ByDtype = Readonly<Record<FloatDtype, Kernel>>;

/** The kernels for one size of tile. */
export interface Method {
  readonly tile: number;
  /** By the type of the images and weights in memory; what lies between is f32. */
  readonly input: ByDtype;
  readonly weight: ByDtype;
  readonly output: ByDtype;
  /** The adjoints of the last two, for the weight gradient. */
  readonly gradient: Kernel;
  readonly back: Kernel;
}

const METHODS: readonly Method[] = [method(4, by4Lib), method(2, by2Lib)];

function method(tile: number, lib: string): Method {
  const kernel = (step: string, source: string): Kernel =>
    new Kernel(`winograd_${step} ${tile}x${tile}`, [gridLib, lib, source], `winograd_${step}`);
  const both = (step: string, source: string): ByDtype => ({
    f32: kernel(step, source),
    f16: new Kernel(`winograd_${step} ${tile}x${tile} f16`, [halfLib, gridLib, lib, source], `winograd_${step}`),
  });
  return {
    tile,
    input: both('input', inputSource),
    weight: both('weight', weightSource),
    output: both('output', outputSource),
    gradient: kernel('gradient', gradientSource),
    back: kernel('back', backSource),
  };
}

/** Bytes of transformed patches and products at a time, and of transformed weights: what a last-level cache holds. */
export const PATCHES = 12 * 2 ** 20;
const WEIGHTS = 10 * 2 ** 20;

/** Invocations of a workgroup of winogradWeight.wgsl along each axis. */
const SQUARE = 16;

/** Up to this many tiles the transformed weights are kept: making them would cost a good part of the product. */
const FEW_TILES = 64;

/** Which of a convolution's three products is computed. */
export type Pass = 'forward' | 'input' | 'weight';

/** One convolution with stride 1, of either direction: `from` channels to `to`. */
interface Problem extends Epilogue {
  readonly source: Tensor;
  readonly weight: Tensor;
  readonly out: Tensor;
  readonly from: number;
  readonly to: number;
  readonly padding: readonly [number, number];
  /** The input gradient: the kernel turned round, its channels swapped. */
  readonly turned: boolean;
  /** Whether the transformed weights may be kept. */
  readonly frozen: boolean;
}

/** Winograd's ways to compute a convolution, the best guess first; none where it is not 3 x 3 with stride, dilation and groups of 1. */
export function winogradCandidates(gpu: Gpu, shape: ConvShape): Candidate<ConvOperands>[] {
  const { weight: [, , from, to], options: { padding }, frozen = false } = shape;
  return rank(gpu, shape, 'forward').map(({ method }) => ({
    id: `winograd ${method.tile}x${method.tile}`,
    run: ({ x, ...rest }) => convolve(method, { ...rest, source: x, from, to, padding, turned: false, frozen }),
  }));
}

/** The same for the gradient of the input. */
export function winogradInputCandidates(gpu: Gpu, shape: ConvShape): Candidate<ConvInputOperands>[] {
  const { weight: [, , to, from], options } = shape;
  const padding = [2 - options.padding[0], 2 - options.padding[1]] as const;
  return rank(gpu, shape, 'input').map(({ method }) => ({
    id: `winograd ${method.tile}x${method.tile}`,
    run: ({ dy, weight, out }) => convolve(method, { source: dy, weight, out, from, to, padding, turned: true, frozen: false }),
  }));
}

/** Whether the first of Winograd's candidates is likely to be faster than the direct method. */
export function winogradPays(gpu: Gpu, shape: ConvShape, pass: Pass): boolean {
  const [best] = rank(gpu, shape, pass);
  const [images, height, width] = targetOf(shape, pass);
  const [kh, kw, channels, out] = shape.weight;
  return best !== undefined && best.cost < images * height * width * kh * kw * channels * out;
}

/**
 * What goes with the products, in multiply-adds of a product that takes 27 ps each on llvmpipe (2 cores): 0.75 ns an
 * element of the patches or the results, and 0.2 more where the matrices are short; 0.5 ns an element of the weights;
 * 0.1 ms for three dispatches. Rows are computed by so many. On GPUs the transforms wait for memory, 8 bytes an element,
 * and 12 multiply-adds pass in the time of a byte: a careful guess.
 */
const COSTS = {
  software: { element: 32, weight: 18, call: 4e6, rows: 16 },
  hardware: { element: 100, weight: 100, call: 1e8, rows: 64 },
} as const;

/** The methods that the shape and the adapter's limits allow, with what they cost, cheapest first. */
export function rank(gpu: Gpu, shape: ConvShape, pass: Pass): { readonly method: Method; readonly cost: number }[] {
  const { weight: [kh, kw, channels, out], options: { stride, dilation, groups }, frozen = false, dtype } = shape;
  if (kh !== 3 || kw !== 3 || groups !== 1 || [...stride, ...dilation].some((step) => step !== 1)) return [];
  if (pass === 'weight' && dtype === 'f16') return []; // its kernels read f32 only
  const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
  const { element, weight, call, rows } = COSTS[gpu.adapter.software ? 'software' : 'hardware'];
  return METHODS.map((method) => {
    const tiles = tilesOf(method.tile, targetOf(shape, pass)).count;
    const pairs = channels * out;
    const kept = frozen && dtype !== 'f16' && pass === 'forward' && tiles <= FEW_TILES;
    // For the weight gradient tiles are the depth, and the products are written and read for each pair of channels.
    const multiplied = pass === 'weight' ? tiles : Math.ceil(tiles / rows) * rows;
    const transforms = pass === 'weight' ? 2 * weight : kept ? 0 : weight;
    const cost = multiplied * pairs + tiles * (channels + out) * element + transforms * pairs;
    return { method, cost: productsOf(method) * cost + call };
  })
    .filter(({ method }) => 4 * productsOf(method) * channels * out <= Math.min(maxBufferSize, maxStorageBufferBindingSize))
    .sort((a, b) => a.cost - b.cost);
}

/** Matrices that the products are made of. */
export function productsOf({ tile }: Method): number {
  return (tile + 2) ** 2;
}

function targetOf({ x, weight, options }: ConvShape, pass: Pass): readonly number[] {
  return pass === 'input' ? x : conv2dShape(x, weight, options);
}

export function tilesOf(tile: number, [images, height, width]: readonly number[]): { count: number; down: number; across: number } {
  const [down, across] = [Math.ceil(height / tile), Math.ceil(width / tile)];
  return { count: images * down * across, down, across };
}

/** A part of the target's channels. */
interface Block {
  readonly first: number;
  readonly channels: number;
}

function convolve(method: Method, problem: Problem): void {
  const { source, from, to } = problem;
  const tiles = tilesOf(method.tile, problem.out.shape);
  const products = productsOf(method);
  const kept = keptWeight(method, problem, tiles.count);
  // Tiles and, where the weights are not kept, target channels are cut so that each part stays in the cache.
  const block = kept ? to : part(to, WEIGHTS / (4 * products * from), 32);
  const chunk = part(tiles.count, PATCHES / (4 * products * (from + block)), 1);
  const patches = Tensor.empty(source.gpu, [products, chunk, from]);
  const results = Tensor.empty(source.gpu, [products, chunk, block]);
  const kernels = kept ?? Tensor.empty(source.gpu, [products, from, block]);
  if (!kept && block === to) transformWeight(method, problem, { first: 0, channels: to }, kernels);
  for (let first = 0; first < tiles.count; first += chunk) {
    const rows = Math.min(chunk, tiles.count - first);
    const place = { first, tiles: rows, tiles_y: tiles.down, tiles_x: tiles.across };
    transformInput(method, problem, place, patches);
    for (let channel = 0; channel < to; channel += block) {
      const columns = { first: channel, channels: Math.min(block, to - channel) };
      if (block < to) transformWeight(method, problem, columns, kernels);
      launchMatmul(rows, columns.channels, from, { a: patches, b: kernels, out: results }, { batch: products });
      transformOutput(method, problem, place, columns, results);
    }
  }
  for (const temporary of kept ? [patches, results] : [patches, results, kernels]) temporary.dispose();
}

/** The size of equal parts of `extent`, each about `most` at most, whole multiples of `unit` where there is more than one. */
export function part(extent: number, most: number, unit: number): number {
  const parts = Math.ceil(extent / Math.max(1, most));
  return Math.min(extent, Math.ceil(extent / parts / unit) * unit);
}

/** Tiles of one dispatch, as the shaders name them. */
export type Place = Readonly<Record<'first' | 'tiles' | 'tiles_y' | 'tiles_x', number>>;

export function transformInput({ input }: Method, { source, from, padding }: Pick<Problem, 'source' | 'from' | 'padding'>, place: Place, patches: Tensor): void {
  const width = widthOf(from);
  const columns = from / width;
  const [, source_y, source_x] = source.shape;
  source.gpu.dispatch(
    storedVariant(input, width, floatOf(source)),
    { source: source.storage, patches: patches.storage },
    { ...place, columns, source_y, source_x, padding_y: padding[0], padding_x: padding[1] },
    elements(place.tiles * columns),
  );
}

function transformOutput({ output }: Method, problem: Problem, place: Place, block: Block, results: Tensor): void {
  const { weight, out, to } = problem;
  const width = widthOf(to);
  const [, target_y, target_x] = out.shape;
  const columns = { columns: block.channels / width, first_column: block.first / width, width: to / width };
  out.gpu.dispatch(
    storedVariant(output, width, floatOf(out)),
    { products: results.storage, ...epilogueBindings(problem, weight), out: out.storage },
    { ...place, ...columns, target_y, target_x, ...epilogueParams(problem) },
    elements(place.tiles * columns.columns),
  );
}

/** Transforms the weights of a block of the target's channels: [products, from, block]. */
function transformWeight(method: Method, { weight, from, to, turned }: Problem, { first, channels }: Block, kernels: Tensor): void {
  const pairs = from * to;
  const dtype = floatOf(weight);
  const order = turned
    ? { row_step: 1, column_step: from, tap: 8 * pairs, tap_step: -pairs }
    : { row_step: to, column_step: 1, tap: 0, tap_step: pairs };
  weight.gpu.dispatch(
    method.weight[dtype].variant({ spec: { Element: dtype } }),
    { weight: weight.storage, kernels: kernels.storage },
    { rows: from, columns: channels, first_column: first, ...order },
    [Math.ceil(channels / SQUARE), Math.ceil(from / SQUARE)],
  );
}

export function widthOf(channels: number): 1 | 4 {
  return channels % 4 === 0 ? 4 : 1;
}

function storedVariant(kernels: ByDtype, width: 1 | 4, dtype: FloatDtype): Kernel {
  return kernels[dtype].variant({ spec: { Column: columnType(width, 'f32'), Stored: columnType(width, dtype) } });
}

export function columnVariant(kernel: Kernel, width: 1 | 4): Kernel {
  return kernel.variant({ spec: { Column: width === 4 ? 'vec4f' : 'f32' } });
}

/** What was made of a weight whose storage had this version; nothing yet the first time the weight is seen. */
interface KeptWeight {
  version: number;
  kernels: Tensor | undefined;
}

const keptWeights = new WeakMap<Storage, Map<Method, KeptWeight>>();

/**
 * Transformed weights that outlive the call, for frozen weights and few tiles. They are brought up to date
 * when the weight has changed, in a captured function before each replay. The first eager call only notes the weight:
 * one that is used once, or changes with each call, is not worth the memory.
 */
function keptWeight(method: Method, problem: Problem, tiles: number): Tensor | undefined {
  const { gpu, storage } = problem.weight;
  // Of an f16 weight they would take eight times its memory, which is what f16 is chosen for.
  if (!problem.frozen || tiles > FEW_TILES || problem.weight.dtype === 'f16') return undefined;
  const byMethod = keptWeights.get(storage) ?? new Map<Method, KeptWeight>();
  keptWeights.set(storage, byMethod);
  const known = byMethod.get(method);
  const entry = known ?? { version: storage.version, kernels: undefined };
  byMethod.set(method, entry);
  const settled = known !== undefined && (known.kernels !== undefined || known.version === storage.version);
  if (!settled && !gpu.dry) {
    entry.version = storage.version;
    return undefined;
  }
  const isCurrent = gpu.refresh([storage], () => {
    if (entry.kernels && entry.version === storage.version) return;
    const { from, to } = problem;
    if (!entry.kernels) {
      entry.kernels = keep(Tensor.empty(gpu, [productsOf(method), from, to]));
      storage.releaseWith(entry.kernels.storage);
    }
    transformWeight(method, problem, { first: 0, channels: to }, entry.kernels);
    entry.version = storage.version;
  });
  return isCurrent ? entry.kernels : undefined;
}
