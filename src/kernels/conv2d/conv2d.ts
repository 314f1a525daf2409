/**
 * Convolution in two dimensions and its gradients. Images are [N, H, W, C], weights [kh, kw, in / groups, out].
 * Each of the three is a family of algorithms; the plain ones are in direct.ts.
 */
import type { Gpu } from '../../gpu/gpu';
import { ShapeError, formatShape } from '../../errors';
import { Tensor, type FloatDtype } from '../../tensor';
import { commonDtype } from '../cast';
import { directCandidates, directInputCandidates, directWeightCandidates } from './direct';
import { conv2dShape, type ConvOptions } from './shape';
import { workgroupWeightCandidates } from './weightWorkgroup';
import { workgroupConvCandidates, workgroupInputCandidates } from './workgroup';
import { depthwiseCandidates, depthwiseInputCandidates, depthwiseWeightCandidates } from './depthwise';
import { assertEpilogue, type Epilogue } from '../products/epilogue';
import { launch, type Candidate, type Family } from '../products/family';
import { sameShape } from '../launch';
import { classSuffix, launchMatmul, rounded } from '../matmul/matmul';
import { winogradCandidates, winogradInputCandidates, winogradPays } from './winograd';
import { winogradWeightCandidates } from './winogradWeight';

export { conv2dShape, type ConvOptions };

/** A convolution of the three families: of images `x` with `weight`, both by their shapes. */
export interface ConvShape {
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly options: ConvOptions;
  /**
   * Of the images, weights and the output in memory. Sums, scale and bias are f32, and so is a weight's gradient.
   * Default f32.
   */
  readonly dtype?: FloatDtype;
  /** The weights stay as they are from call to call, so that what is made of them may be kept. Default false. */
  readonly frozen?: boolean;
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
 * Of f16 operands the output is f16, of sums in f32; scale and bias are f32.
 * @throws ShapeError when the shapes or options do not fit; DtypeError when the operands' types differ.
 */
export function conv2d(x: Tensor, weight: Tensor, options: ConvOptions, epilogue: Epilogue = {}): Tensor {
  const shape = conv2dShape(x.shape, weight.shape, options);
  assertEpilogue('conv2d', epilogue, shape);
  const dtype = commonDtype('conv2d', { x, weight, residual: epilogue.residual });
  const out = Tensor.empty(x.gpu, shape, dtype);
  const frozen = !weight.requiresGrad;
  launch(conv2dFamily, x.gpu, { x: x.shape, weight: weight.shape, options, dtype, frozen }, { x, weight, out, ...epilogue });
  return out;
}

/**
 * Gradient with respect to the input, of shape `xShape`, from `dy`, the gradient with respect to the output.
 * Positions of the input that no tap reads have gradient 0.
 */
export function conv2dBackwardInput(dy: Tensor, weight: Tensor, xShape: readonly number[], options: ConvOptions): Tensor {
  assertGradient(dy, conv2dShape(xShape, weight.shape, options));
  const dtype = commonDtype('conv2d backward', { dy, weight });
  const out = Tensor.empty(dy.gpu, xShape, dtype);
  launch(conv2dInputFamily, dy.gpu, { x: xShape, weight: weight.shape, options, dtype }, { dy, weight, out });
  return out;
}

/** Gradient with respect to the weight, of shape `weightShape`; f32, also of f16 operands. */
export function conv2dBackwardWeight(x: Tensor, dy: Tensor, weightShape: readonly number[], options: ConvOptions): Tensor {
  assertGradient(dy, conv2dShape(x.shape, weightShape, options));
  const out = Tensor.empty(x.gpu, weightShape);
  const dtype = commonDtype('conv2d backward', { x, dy });
  launch(conv2dWeightFamily, x.gpu, { x: x.shape, weight: weightShape, options, dtype }, { x, dy, out });
  return out;
}

export const conv2dFamily: Family<ConvShape, ConvOperands> = {
  name: 'conv2d',
  candidates(gpu, shape) {
    return inOrder(gpu, {
      depthwise: depthwiseCandidates(gpu, shape),
      direct: directCandidates(gpu, shape),
      product: productCandidates(shape),
      workgroup: workgroupConvCandidates(gpu, shape),
      winograd: winogradCandidates(gpu, shape),
      winogradPays: winogradPays(gpu, shape, 'forward'),
    });
  },
  classOf,
  operands(gpu, shape, random) {
    return { ...images(gpu, shape, random), ...filters(gpu, shape, random), out: Tensor.empty(gpu, outputOf(shape), shape.dtype) };
  },
  operations,
};

export const conv2dInputFamily: Family<ConvShape, ConvInputOperands> = {
  name: 'conv2d_backward_input',
  candidates(gpu, shape) {
    return inOrder(gpu, {
      depthwise: depthwiseInputCandidates(gpu, shape),
      direct: directInputCandidates(gpu, shape),
      product: productInputCandidates(shape),
      workgroup: workgroupInputCandidates(gpu, shape),
      winograd: winogradInputCandidates(gpu, shape),
      winogradPays: winogradPays(gpu, shape, 'input'),
    });
  },
  classOf,
  operands(gpu, shape, random) {
    return { ...gradients(gpu, shape, random), ...filters(gpu, shape, random), out: Tensor.empty(gpu, shape.x, shape.dtype) };
  },
  operations,
};

export const conv2dWeightFamily: Family<ConvShape, ConvWeightOperands> = {
  name: 'conv2d_backward_weight',
  candidates(gpu, shape) {
    return inOrder(gpu, {
      depthwise: depthwiseWeightCandidates(gpu, shape),
      direct: directWeightCandidates(gpu, shape),
      workgroup: workgroupWeightCandidates(gpu, shape),
      winograd: winogradWeightCandidates(gpu, shape),
      winogradPays: winogradPays(gpu, shape, 'weight'),
    });
  },
  classOf,
  operands(gpu, shape, random) {
    return { ...images(gpu, shape, random), ...gradients(gpu, shape, random), out: Tensor.empty(gpu, shape.weight) };
  },
  operations,
};

/** Candidates by algorithm. */
interface Algorithms<O> {
  readonly depthwise?: readonly Candidate<O>[];
  readonly direct: readonly Candidate<O>[];
  readonly product?: readonly Candidate<O>[];
  readonly workgroup?: readonly Candidate<O>[];
  readonly winograd?: readonly Candidate<O>[];
  readonly winogradPays?: boolean;
}

/** Special methods first where they fit, then a plain product, then registers on a CPU adapter and workgroup memory on a GPU. */
function inOrder<O>({ adapter }: Gpu, found: Algorithms<O>): Candidate<O>[] {
  const { depthwise = [], direct, product = [], workgroup = [], winograd = [], winogradPays: pays } = found;
  const general = adapter.software ? [...product, ...direct, ...workgroup] : [...product, ...workgroup, ...direct];
  return pays ? [...depthwise, ...winograd, ...general] : [...depthwise, ...general, ...winograd];
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
  return [{ id: 'matmul', run: ({ dy, weight, out }) => launchMatmul(m, k, n, { a: dy, b: weight, out }, { transposeB: true }) }];
}

function isProduct({ weight: [kh, kw], options: { stride, padding, groups } }: ConvShape): boolean {
  return kh * kw * groups === 1 && stride.every((s) => s === 1) && padding.every((p) => p === 0);
}

function productExtents({ x: [images, height, width], weight: [, , k, n] }: ConvShape): { m: number; n: number; k: number } {
  return { m: images * height * width, n, k };
}

function classOf({ x: [n, h, w], weight, options: { stride, padding, dilation, groups }, dtype, frozen }: ConvShape): string {
  return `n${rounded(n)} ${rounded(h)}x${rounded(w)} w${weight.join('x')} s${stride.join()} p${padding.join()} d${dilation.join()} g${groups}${classSuffix(dtype)}${frozen ? ' frozen' : ''}`;
}

function operations(shape: ConvShape): number {
  const [kh, kw, channels] = shape.weight;
  return 2 * outputOf(shape).reduce((a, b) => a * b) * kh * kw * channels;
}

function outputOf({ x, weight, options }: ConvShape): readonly number[] {
  return conv2dShape(x, weight, options);
}

type Make = Parameters<Family<ConvShape, ConvOperands>['operands']>;

function images(...[gpu, { x, dtype }, random]: Make): { x: Tensor } {
  return { x: randomTensor(gpu, x, random, dtype) };
}

function filters(...[gpu, { weight, dtype }, random]: Make): { weight: Tensor } {
  return { weight: randomTensor(gpu, weight, random, dtype) };
}

function gradients(...[gpu, shape, random]: Make): { dy: Tensor } {
  return { dy: randomTensor(gpu, outputOf(shape), random, shape.dtype) };
}

function randomTensor(gpu: Make[0], shape: readonly number[], random: Make[2], dtype: FloatDtype | undefined): Tensor {
  return Tensor.fromArray(gpu, shape, random(shape.reduce((a, b) => a * b)), dtype);
}

function assertGradient(dy: Tensor, shape: readonly number[]): void {
  if (!sameShape(dy.shape, shape)) {
    throw new ShapeError(`conv2d: the output's gradient must have its shape ${formatShape(shape)}, got ${formatShape(dy.shape)}`);
  }
}
