/**
 * Convolution in two dimensions and its gradients. Images are [N, H, W, C], weights [kh, kw, in / groups, out].
 *
 * All three are matrix products that are never written out: the forward pass and the input gradient share one kernel
 * (shaders/conv2d.wgsl), the weight gradient has its own (shaders/conv2dWeight.wgsl).
 */
import { ShapeError, formatShape } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { Tensor } from '../tensor';
import gatherSource from '../../shaders/conv2d.wgsl?raw';
import weightSource from '../../shaders/conv2dWeight.wgsl?raw';
import { conv2dShape, forwardWalk, gradientWalks, type ConvOptions, type Walk } from './conv2dShape';
import { sameShape } from './launch';
import { matmul } from './matmul';
import { sum } from './reduce';
import { chooseTiling, TiledKernel } from './tiling';
import { swapMatrixAxes } from './transpose';

export { conv2dShape, type ConvOptions };

const gatherKernel = new TiledKernel('conv2d', gatherSource, 'P');
const weightKernel = new TiledKernel('conv2d_weight', weightSource, 'R');

/** Pixels that the weight gradient adds up in one run; longer sums lose digits. */
const PIXELS = 4096;

/** What is done to each output before it is written, in this order. */
export interface ConvEpilogue {
  /** [out], added. */
  readonly bias?: Tensor | undefined;
  /** The output's shape, added: a shortcut around the convolution. */
  readonly residual?: Tensor | undefined;
  /** Ends with max(0, ·), which keeps NaN. Default false. */
  readonly relu?: boolean;
}

/**
 * Convolves `x` with `weight` as PyTorch's `conv2d` does (a correlation; padding is with zeros).
 * @throws ShapeError when the shapes or options do not fit.
 */
export function conv2d(x: Tensor, weight: Tensor, options: ConvOptions, epilogue: ConvEpilogue = {}): Tensor {
  const shape = conv2dShape(x.shape, weight.shape, options);
  const { stride, padding, dilation, groups } = options;
  const { bias, residual } = epilogue;
  if (bias && !sameShape(bias.shape, [shape[3]])) {
    throw new ShapeError(`conv2d: the bias must be [${shape[3]}], one value an output channel, got ${formatShape(bias.shape)}`);
  }
  if (residual && !sameShape(residual.shape, shape)) {
    throw new ShapeError(`conv2d: the residual must have the output's shape ${formatShape(shape)}, got ${formatShape(residual.shape)}`);
  }
  if (!residual && isMatrixProduct(x.gpu, weight.shape, options)) {
    return matmul(x.view([shape[0] * shape[1] * shape[2], x.shape[3]]), weight.view(weight.shape.slice(2)), epilogue).view(shape);
  }
  const out = Tensor.empty(x.gpu, shape);
  const [y, xs] = [0, 1].map((axis) => forwardWalk(shape[1 + axis], weight.shape[axis], stride[axis], padding[axis], dilation[axis]));
  gather(x, weight, out, y, xs, groups, epilogue);
  return out;
}

/**
 * Gradient with respect to the input, of shape `xShape`, from `dy`, the gradient with respect to the output.
 * Positions of the input that no tap reads have gradient 0.
 */
export function conv2dBackwardInput(dy: Tensor, weight: Tensor, xShape: readonly number[], options: ConvOptions): Tensor {
  assertGradient(dy, conv2dShape(xShape, weight.shape, options));
  const { stride, padding, dilation, groups } = options;
  const [kh, kw, perGroup, width] = weight.shape;
  if (isMatrixProduct(dy.gpu, weight.shape, options)) {
    const pixels = xShape[0] * xShape[1] * xShape[2];
    return matmul(dy.view([pixels, width]), weight.view([perGroup, width]), { transposeB: true }).view(xShape);
  }
  const swapped = swapMatrixAxes(weight, [kh * kw, perGroup, groups, width / groups]);
  const transposed = swapped.view([kh, kw, width / groups, perGroup * groups]);
  const dx = Tensor.empty(dy.gpu, xShape);
  const [rows, cols] = [0, 1].map((axis) => gradientWalks(xShape[1 + axis], weight.shape[axis], stride[axis], padding[axis], dilation[axis]));
  for (const y of rows) for (const x of cols) gather(dy, transposed, dx, y, x, groups, {});
  transposed.dispose();
  return dx;
}

/** Gradient with respect to the weight, of shape `weightShape`. */
export function conv2dBackwardWeight(x: Tensor, dy: Tensor, weightShape: readonly number[], options: ConvOptions): Tensor {
  const shape = conv2dShape(x.shape, weightShape, options);
  assertGradient(dy, shape);
  const { stride, padding, dilation, groups } = options;
  const [kh, kw, channels, out] = weightShape;
  const tiling = chooseTiling(x.gpu, out / groups, groups, kw * channels);
  const columns = out / groups / tiling.width;
  const across = Math.ceil((groups * Math.ceil(columns / tiling.columns)) / tiling.workgroup[0]);
  const down = Math.ceil((kh * Math.ceil((kw * channels) / tiling.rows)) / tiling.workgroup[1]);
  // Enough workgroups to fill the device, each adding up few enough pixels to keep its digits.
  const imageRows = shape[0] * shape[1];
  const wanted = Math.max(Math.ceil((x.gpu.adapter.software ? 64 : 1024) / (across * down)), Math.ceil((imageRows * shape[2]) / PIXELS));
  const chunk = Math.ceil(imageRows / Math.min(imageRows, wanted));
  const chunks = Math.ceil(imageRows / chunk);
  const partial = Tensor.empty(x.gpu, [chunks, ...weightShape]);
  x.gpu.dispatch(
    weightKernel.variant(tiling),
    { x: x.storage, dy: dy.storage, out: partial.storage },
    {
      image_rows: imageRows,
      chunk,
      out_y: shape[1],
      out_x: shape[2],
      source_y: x.shape[1],
      source_x: x.shape[2],
      stride_y: stride[0],
      stride_x: stride[1],
      padding_y: padding[0],
      padding_x: padding[1],
      dilation_y: dilation[0],
      dilation_x: dilation[1],
      kernel_y: kh,
      kernel_x: kw,
      groups,
      channels,
      columns,
    },
    [across, down, chunks],
  );
  if (chunks === 1) return partial.view(weightShape);
  const dw = sum(partial, [0]);
  partial.dispose();
  return dw;
}

/** Whether to leave the work to `matmul`: only on GPUs, where it uses workgroup memory, and for 1 x 1 kernels. */
function isMatrixProduct(gpu: Gpu, [kh, kw]: readonly number[], { stride, padding, groups }: ConvOptions): boolean {
  return !gpu.adapter.software && kh * kw * groups === 1 && stride.every((s) => s === 1) && padding.every((p) => p === 0);
}

/** One dispatch of shaders/conv2d.wgsl: every position of the two walks, all channels. */
function gather(source: Tensor, weight: Tensor, target: Tensor, y: Walk, x: Walk, groups: number, { bias, residual, relu }: ConvEpilogue): void {
  const [, kernelX, channels, width] = weight.shape;
  const pixels = source.shape[0] * y.extent * x.extent;
  const tiling = chooseTiling(source.gpu, width / groups, groups, pixels);
  const columns = width / groups / tiling.width;
  const params: Record<string, number> = {
    pixels,
    kernel_x: kernelX,
    groups,
    channels,
    columns,
    target_y: target.shape[1],
    target_x: target.shape[2],
    source_y: source.shape[1],
    source_x: source.shape[2],
    bias: bias ? 1 : 0,
    residual: residual ? 1 : 0,
    relu: relu ? 1 : 0,
  };
  for (const [suffix, walk] of [['y', y], ['x', x]] as const) {
    params[`extent_${suffix}`] = walk.extent;
    params[`first_${suffix}`] = walk.first;
    params[`spacing_${suffix}`] = walk.spacing;
    params[`stride_${suffix}`] = walk.stride;
    params[`offset_${suffix}`] = walk.offset;
    params[`step_${suffix}`] = walk.step;
    params[`taps_${suffix}`] = walk.taps;
    params[`tap_first_${suffix}`] = walk.tapFirst;
    params[`tap_step_${suffix}`] = walk.tapStep;
  }
  const rows = Math.ceil(pixels / tiling.rows / tiling.workgroup[1]);
  const fold = Math.min(Math.max(rows, 1), 32768);
  source.gpu.dispatch(
    gatherKernel.variant(tiling),
    {
      x: source.storage,
      weight: weight.storage,
      bias: (bias ?? weight).storage,
      residual: (residual ?? source).storage,
      out: target.storage,
    },
    params,
    [Math.ceil((groups * Math.ceil(columns / tiling.columns)) / tiling.workgroup[0]), fold, Math.ceil(rows / fold)],
  );
}

function assertGradient(dy: Tensor, shape: readonly number[]): void {
  if (!sameShape(dy.shape, shape)) {
    throw new ShapeError(`conv2d: the output's gradient must have its shape ${formatShape(shape)}, got ${formatShape(dy.shape)}`);
  }
}
