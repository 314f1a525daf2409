/**
 * Convolution in two dimensions and its gradients. Images are [N, H, W, C], weights [kh, kw, in / groups, out].
 * Each of the three is a family of algorithms; the plain ones are in conv2dDirect.ts.
 */
import { ShapeError, formatShape } from '../errors';
import { Tensor } from '../tensor';
import { directCandidates, directInputCandidates, directWeightCandidates } from './conv2dDirect';
import { conv2dShape, type ConvOptions } from './conv2dShape';
import { assertEpilogue, type Epilogue } from './epilogue';
import { launch, type Candidate, type Family } from './family';
import { sameShape } from './launch';
import { launchMatmul, rounded } from './matmul';
import { winogradCandidates, winogradInputCandidates } from './winograd';

export { conv2dShape, type ConvOptions };

/** A convolution of the three families: of images `x` with `weight`, both by their shapes. */
export interface ConvShape {
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
}

export interface ConvOperands extends Epilogue {
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly out: Tensor;
}

/** `out` is the gradient of the input. */
export interface ConvInputOperands {
  readonly dy: Tensor;
  readonly weight: Tensor;
  readonly out: Tensor;
}

/** `out` is the gradient of the weight. */
export interface ConvWeightOperands {
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly out: Tensor;
}

/**
 * Convolves `x` with `weight` as PyTorch's `conv2d` does (a correlation; padding is with zeros).
 * @throws ShapeError when the shapes or options do not fit.
 */
export function conv2d(x: Tensor, weight: Tensor, options: ConvOptions, epilogue: Epilogue = {}): Tensor {
  const shape = conv2dShape(x.shape, weight.shape, options);
  assertEpilogue('conv2d', epilogue, shape);
  const out = Tensor.empty(x.gpu, shape);
  launch(conv2dFamily, x.gpu, { x: x.shape, weight: weight.shape, options }, { x, weight, out, ...epilogue });
  return out;
}

/**
 * Gradient with respect to the input, of shape `xShape`, from `dy`, the gradient with respect to the output.
 * Positions of the input that no tap reads have gradient 0.
 */
export function conv2dBackwardInput(dy: Tensor, weight: Tensor, xShape: readonly number[], options: ConvOptions): Tensor {
  assertGradient(dy, conv2dShape(xShape, weight.shape, options));
  const out = Tensor.empty(dy.gpu, xShape);
  launch(conv2dInputFamily, dy.gpu, { x: xShape, weight: weight.shape, options }, { dy, weight, out });
  return out;
}

/** Gradient with respect to the weight, of shape `weightShape`. */
export function conv2dBackwardWeight(x: Tensor, dy: Tensor, weightShape: readonly number[], options: ConvOptions): Tensor {
  assertGradient(dy, conv2dShape(x.shape, weightShape, options));
  const out = Tensor.empty(x.gpu, weightShape);
  launch(conv2dWeightFamily, x.gpu, { x: x.shape, weight: weightShape, options }, { x, dy, out });
  return out;
}

export const conv2dFamily: Family<ConvShape, ConvOperands> = {
  name: 'conv2d',
  candidates(gpu, shape) {
    return [...inOrder(gpu.adapter.software, directCandidates(gpu, shape), productCandidates(shape)), ...winogradCandidates(gpu, shape)];
  },
  classOf,
  operands(gpu, shape, random) {
    return { ...images(gpu, shape, random), ...filters(gpu, shape, random), out: Tensor.empty(gpu, outputOf(shape)) };
  },
  operations,
};

export const conv2dInputFamily: Family<ConvShape, ConvInputOperands> = {
  name: 'conv2d_backward_input',
  candidates(gpu, shape) {
    return [...inOrder(gpu.adapter.software, directInputCandidates(gpu, shape), productInputCandidates(shape)), ...winogradInputCandidates(gpu, shape)];
  },
  classOf,
  operands(gpu, shape, random) {
    return { ...gradients(gpu, shape, random), ...filters(gpu, shape, random), out: Tensor.empty(gpu, shape.x) };
  },
  operations,
};

export const conv2dWeightFamily: Family<ConvShape, ConvWeightOperands> = {
  name: 'conv2d_backward_weight',
  candidates: directWeightCandidates,
  classOf,
  operands(gpu, shape, random) {
    return { ...images(gpu, shape, random), ...gradients(gpu, shape, random), out: Tensor.empty(gpu, shape.weight) };
  },
  operations,
};

/** Registers first on a CPU adapter, the matrix product, which may use workgroup memory, on a GPU. */
function inOrder<O>(software: boolean, direct: readonly Candidate<O>[], product: readonly Candidate<O>[]): Candidate<O>[] {
  return software ? [...direct, ...product] : [...product, ...direct];
}

/** A 1 x 1 convolution that moves nothing is the product of [pixels, in] and [in, out]. */
function productCandidates(shape: ConvShape): Candidate<ConvOperands>[] {
  if (!isProduct(shape)) return [];
  const { m, n, k } = productExtents(shape);
  return [{ id: 'matmul', run: ({ x, weight, ...rest }) => launchMatmul(m, n, k, { a: x, b: weight, ...rest }) }];
}

function productInputCandidates(shape: ConvShape): Candidate<ConvInputOperands>[] {
  if (!isProduct(shape)) return [];
  const { m, n, k } = productExtents(shape);
  return [{ id: 'matmul', run: ({ dy, weight, out }) => launchMatmul(m, k, n, { a: dy, b: weight, out }, true) }];
}

function isProduct({ weight: [kh, kw], options: { stride, padding, groups } }: ConvShape): boolean {
  return kh * kw * groups === 1 && stride.every((s) => s === 1) && padding.every((p) => p === 0);
}

function productExtents({ x: [images, height, width], weight: [, , k, n] }: ConvShape): { m: number; n: number; k: number } {
  return { m: images * height * width, n, k };
}

function classOf({ x: [n, h, w], weight, options: { stride, padding, dilation, groups } }: ConvShape): string {
  return `n${rounded(n)} ${rounded(h)}x${rounded(w)} w${weight.join('x')} s${stride.join()} p${padding.join()} d${dilation.join()} g${groups}`;
}

function operations(shape: ConvShape): number {
  const [kh, kw, channels] = shape.weight;
  return 2 * outputOf(shape).reduce((a, b) => a * b) * kh * kw * channels;
}

function outputOf({ x, weight, options }: ConvShape): readonly number[] {
  return conv2dShape(x, weight, options);
}

type Make = Parameters<Family<ConvShape, ConvOperands>['operands']>;

function images(...[gpu, { x }, random]: Make): { x: Tensor } {
  return { x: randomTensor(gpu, x, random) };
}

function filters(...[gpu, { weight }, random]: Make): { weight: Tensor } {
  return { weight: randomTensor(gpu, weight, random) };
}

function gradients(...[gpu, shape, random]: Make): { dy: Tensor } {
  return { dy: randomTensor(gpu, outputOf(shape), random) };
}

function randomTensor(gpu: Make[0], shape: readonly number[], random: Make[2]): Tensor {
  return Tensor.fromArray(gpu, shape, random(shape.reduce((a, b) => a * b)));
}

function assertGradient(dy: Tensor, shape: readonly number[]): void {
  if (!sameShape(dy.shape, shape)) {
    throw new ShapeError(`conv2d: the output's gradient must have its shape ${formatShape(shape)}, got ${formatShape(dy.shape)}`);
  }
}
