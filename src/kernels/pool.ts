/** Max, average and adaptive average pooling of NHWC images, with their gradients. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor, type FloatDtype } from '../tensor';
import half from '../../shaders/lib/half.wgsl?raw';
import narrow from '../../shaders/lib/narrow.wgsl?raw';
import wide from '../../shaders/lib/wide.wgsl?raw';
import source from '../../shaders/pool.wgsl?raw';
import { columnType, floatOf } from './cast';
import { assertRank } from './launch';

export interface PoolOptions {
  /** Window, [height, width]. */
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  /** At most half the window, as in PyTorch. */
  readonly padding: readonly [number, number];
  /** Round output extents up. Default false. */
  readonly ceilMode?: boolean;
  /** Count padding in an average. Default true. */
  readonly countIncludePad?: boolean;
}

const ENTRIES = ['max_pool', 'max_pool_indices', 'max_pool_backward', 'avg_pool', 'avg_pool_backward', 'adaptive_avg_pool', 'adaptive_avg_pool_backward'] as const;
type Entry = (typeof ENTRIES)[number];

type Kernels = Readonly<Record<Entry, Kernel>>;

const [WIDE, NARROW] = ([4, 1] as const).map((width): Readonly<Record<FloatDtype, Kernels>> => {
  const sources = [width === 4 ? wide : narrow, source];
  const all = (suffix: string, make: (name: string, entry: Entry) => Kernel): Kernels =>
    Object.fromEntries(ENTRIES.map((entry) => [entry, make(`${entry}${width === 4 ? '' : ' (narrow)'}${suffix}`, entry)])) as Kernels;
  return {
    f32: all('', (name, entry) => new Kernel(name, sources, entry)),
    f16: all(' f16', (name, entry) => new Kernel(name, [half, ...sources], entry).variant({ spec: { Stored: columnType(width, 'f16') } })),
  };
});

/** Places in a window that a byte counts; four channels' fit a word then. */
const MOST_PLACES = 256;

/** Whether kernels take four channels at once. */
function isWide(channels: number, options?: PoolOptions): boolean {
  return channels % 4 === 0 && (options === undefined || options.kernelSize[0] * options.kernelSize[1] <= MOST_PLACES);
}

/** Output shape [N, OH, OW, C] of a pooling. @throws ShapeError when the window does not fit. */
function poolShape(op: string, x: readonly number[], options: PoolOptions): number[] {
  const { kernelSize, stride, padding, ceilMode = false } = options;
  const extents = [0, 1].map((i) => {
    const [size, step, pad, extent] = [kernelSize[i], stride[i], padding[i], x[1 + i]];
    if (![size, step, pad].every(Number.isInteger) || size < 1 || step < 1 || pad < 0 || pad > size / 2) {
      throw new ShapeError(`${op}: kernel ${size}, stride ${step}, padding ${pad}: they must be whole, kernel and stride positive, padding at most half the kernel`);
    }
    const span = extent + 2 * pad - size;
    let count = (ceilMode ? Math.ceil(span / step) : Math.floor(span / step)) + 1;
    // A last window that would begin in the padding past the end is dropped.
    if (ceilMode && (count - 1) * step >= extent + pad) count--;
    if (count < 1) throw new ShapeError(`${op}: a window of ${formatShape(kernelSize)} does not fit the input ${formatShape(x)} [N, H, W, C]`);
    return count;
  });
  return [x[0], extents[0], extents[1], x[3]];
}

/** Max pooling; with `withIndices` also where each maximum stands, for `maxPoolBackward`. */
export function maxPool(x: Tensor, options: PoolOptions, withIndices: boolean): { out: Tensor; indices: Tensor | undefined } {
  assertRank('max_pool2d', 'input', x, 4, '[N, H, W, C]');
  const shape = poolShape('max_pool2d', x.shape, options);
  const out = Tensor.empty(x.gpu, shape, x.dtype);
  const [n, h, w, channels] = shape;
  const byFour = isWide(channels, options);
  const indices = withIndices ? Tensor.empty(x.gpu, [n, h, w, byFour ? channels / 4 : channels], 'i32') : undefined;
  const grid = { out: shape, byFour };
  if (indices) run('max_pool_indices', { x, out, out_index: indices }, x.shape, shape, grid, options);
  else run('max_pool', { x, out }, x.shape, shape, grid, options);
  return { out, indices };
}

export function maxPoolBackward(dy: Tensor, indices: Tensor, xShape: readonly number[], options: PoolOptions): Tensor {
  const dx = Tensor.empty(dy.gpu, xShape, dy.dtype);
  const [n, h, w, c] = xShape;
  const grid = { out: [n, Math.ceil(h / 2), Math.ceil(w / 2), c], byFour: isWide(c, options) };
  run('max_pool_backward', { dy, index: indices, out: dx }, xShape, dy.shape, grid, options);
  return dx;
}

export function avgPool(x: Tensor, options: PoolOptions): Tensor {
  assertRank('avg_pool2d', 'input', x, 4, '[N, H, W, C]');
  const out = Tensor.empty(x.gpu, poolShape('avg_pool2d', x.shape, options), x.dtype);
  run('avg_pool', { x, out }, x.shape, out.shape, { out: out.shape, byFour: isWide(x.shape[3]) }, options);
  return out;
}

export function avgPoolBackward(dy: Tensor, xShape: readonly number[], options: PoolOptions): Tensor {
  const dx = Tensor.empty(dy.gpu, xShape, dy.dtype);
  run('avg_pool_backward', { dy, out: dx }, xShape, dy.shape, { out: xShape, byFour: isWide(xShape[3]) }, options);
  return dx;
}

/** Averages over regions so that the output is [N, outputSize[0], outputSize[1], C], whatever the input's extents. */
export function adaptiveAvgPool(x: Tensor, outputSize: readonly [number, number]): Tensor {
  assertRank('adaptive_avg_pool2d', 'input', x, 4, '[N, H, W, C]');
  if (!outputSize.every((n) => Number.isInteger(n) && n > 0)) {
    throw new ShapeError(`adaptive_avg_pool2d: output size ${formatShape(outputSize)} must be two positive integers`);
  }
  const out = Tensor.empty(x.gpu, [x.shape[0], outputSize[0], outputSize[1], x.shape[3]], x.dtype);
  run('adaptive_avg_pool', { x, out }, x.shape, out.shape, { out: out.shape, byFour: isWide(x.shape[3]) });
  return out;
}

export function adaptiveAvgPoolBackward(dy: Tensor, xShape: readonly number[]): Tensor {
  const dx = Tensor.empty(dy.gpu, xShape, dy.dtype);
  run('adaptive_avg_pool_backward', { dy, out: dx }, xShape, dy.shape, { out: xShape, byFour: isWide(xShape[3]) });
  return dx;
}

/**
 * One dispatch over `grid.out` [N, H, W, C]: columns of channels along x, rows along y, images along z. A CPU adapter
 * gets few workgroups, whose invocations go down the rows. Options are left out by adaptive pooling, which has no window.
 */
function run(
  entry: Entry,
  tensors: Readonly<Record<string, Tensor>> & { readonly out: Tensor },
  x: readonly number[],
  out: readonly number[],
  grid: { readonly out: readonly number[]; readonly byFour: boolean },
  options?: PoolOptions,
): void {
  if (sizeOf(x) >= 2 ** 32) throw new ShapeError(`pooling: ${formatShape(x)} has more elements than a kernel can index`);
  const { gpu } = tensors.out;
  const channels = grid.byFour ? x[3] / 4 : x[3];
  const [images, rows, columns] = grid.out;
  const across = Math.ceil((columns * channels) / 64);
  const down = gpu.adapter.software ? Math.min(rows, Math.ceil(64 / Math.max(1, across * images))) : rows;
  const params = {
    batch: x[0], height: x[1], width: x[2], channels,
    out_height: out[1], out_width: out[2],
    kernel_h: options?.kernelSize[0] ?? 1, kernel_w: options?.kernelSize[1] ?? 1,
    stride_h: options?.stride[0] ?? 1, stride_w: options?.stride[1] ?? 1,
    pad_h: options?.padding[0] ?? 0, pad_w: options?.padding[1] ?? 0,
    count_include_pad: (options?.countIncludePad ?? true) ? 1 : 0,
  };
  const bindings = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.storage]));
  gpu.dispatch((grid.byFour ? WIDE : NARROW)[floatOf(tensors.out)][entry], bindings, params, [across, down, images]);
}
