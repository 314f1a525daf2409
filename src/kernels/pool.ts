/** Max, average and adaptive average pooling of NHWC images, with their gradients. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import floatLib from '../../shaders/lib/float.wgsl?raw';
import grid from '../../shaders/lib/grid.wgsl?raw';
import source from '../../shaders/pool.wgsl?raw';
import { assertRank, elements } from './launch';

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

const kernel = (entry: string): Kernel => new Kernel(entry, [floatLib, grid, source], entry);
const KERNELS = {
  max: kernel('max_pool'),
  maxIndices: kernel('max_pool_indices'),
  maxBackward: kernel('max_pool_backward'),
  avg: kernel('avg_pool'),
  avgBackward: kernel('avg_pool_backward'),
  adaptive: kernel('adaptive_avg_pool'),
  adaptiveBackward: kernel('adaptive_avg_pool_backward'),
};

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
  const out = Tensor.empty(x.gpu, shape);
  const indices = withIndices ? Tensor.empty(x.gpu, shape, 'i32') : undefined;
  const bindings = { x: x.storage, out: out.storage };
  const params = poolParams(x.shape, shape, options);
  if (indices) x.gpu.dispatch(KERNELS.maxIndices, { ...bindings, out_index: indices.storage }, params, elements(out.size));
  else x.gpu.dispatch(KERNELS.max, bindings, params, elements(out.size));
  return { out, indices };
}

export function maxPoolBackward(dy: Tensor, indices: Tensor, xShape: readonly number[], options: PoolOptions): Tensor {
  const dx = Tensor.empty(dy.gpu, xShape);
  const bindings = { dy: dy.storage, index: indices.storage, out: dx.storage };
  dy.gpu.dispatch(KERNELS.maxBackward, bindings, poolParams(xShape, dy.shape, options), elements(dx.size));
  return dx;
}

export function avgPool(x: Tensor, options: PoolOptions): Tensor {
  assertRank('avg_pool2d', 'input', x, 4, '[N, H, W, C]');
  const out = Tensor.empty(x.gpu, poolShape('avg_pool2d', x.shape, options));
  x.gpu.dispatch(KERNELS.avg, { x: x.storage, out: out.storage }, poolParams(x.shape, out.shape, options), elements(out.size));
  return out;
}

export function avgPoolBackward(dy: Tensor, xShape: readonly number[], options: PoolOptions): Tensor {
  const dx = Tensor.empty(dy.gpu, xShape);
  dy.gpu.dispatch(KERNELS.avgBackward, { dy: dy.storage, out: dx.storage }, poolParams(xShape, dy.shape, options), elements(dx.size));
  return dx;
}

/** Averages over regions so that the output is [N, outputSize[0], outputSize[1], C], whatever the input's extents. */
export function adaptiveAvgPool(x: Tensor, outputSize: readonly [number, number]): Tensor {
  assertRank('adaptive_avg_pool2d', 'input', x, 4, '[N, H, W, C]');
  if (!outputSize.every((n) => Number.isInteger(n) && n > 0)) {
    throw new ShapeError(`adaptive_avg_pool2d: output size ${formatShape(outputSize)} must be two positive integers`);
  }
  const out = Tensor.empty(x.gpu, [x.shape[0], outputSize[0], outputSize[1], x.shape[3]]);
  x.gpu.dispatch(KERNELS.adaptive, { x: x.storage, out: out.storage }, poolParams(x.shape, out.shape), elements(out.size));
  return out;
}

export function adaptiveAvgPoolBackward(dy: Tensor, xShape: readonly number[]): Tensor {
  const dx = Tensor.empty(dy.gpu, xShape);
  dy.gpu.dispatch(KERNELS.adaptiveBackward, { dy: dy.storage, out: dx.storage }, poolParams(xShape, dy.shape), elements(dx.size));
  return dx;
}

/** The shader's Params; options are left out by adaptive pooling, which has no window. */
function poolParams(x: readonly number[], out: readonly number[], options?: PoolOptions): Record<string, number> {
  if (sizeOf(x) >= 2 ** 32) throw new ShapeError(`pooling: ${formatShape(x)} has more elements than a kernel can index`);
  return {
    batch: x[0], height: x[1], width: x[2], channels: x[3],
    out_height: out[1], out_width: out[2],
    kernel_h: options?.kernelSize[0] ?? 1, kernel_w: options?.kernelSize[1] ?? 1,
    stride_h: options?.stride[0] ?? 1, stride_w: options?.stride[1] ?? 1,
    pad_h: options?.padding[0] ?? 0, pad_w: options?.padding[1] ?? 0,
    count_include_pad: (options?.countIncludePad ?? true) ? 1 : 0,
  };
}
