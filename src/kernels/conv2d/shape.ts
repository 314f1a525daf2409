/** What a two-dimensional convolution takes and gives: options, checks, and positions along each axis. */
import { ShapeError, formatShape } from '../../errors';

export interface ConvOptions {
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/**
 * The output's shape, [N, OH, OW, out], of a convolution of [N, H, W, in] with a weight [kh, kw, in / groups, out].
 * @throws ShapeError naming the rule that does not hold.
 */
export function conv2dShape(x: readonly number[], weight: readonly number[], options: ConvOptions): [number, number, number, number] {
  const { stride, padding, dilation, groups } = options;
  const got = `got input ${formatShape(x)} and weight ${formatShape(weight)}`;
  if (x.length !== 4) throw new ShapeError(`conv2d: the input must be [N, H, W, C], ${got}`);
  if (weight.length !== 4) throw new ShapeError(`conv2d: the weight must be [kh, kw, in / groups, out], ${got}`);
  assertIntegers('stride', stride, 1);
  assertIntegers('padding', padding, 0);
  assertIntegers('dilation', dilation, 1);
  assertIntegers('groups', [groups], 1);
  const [images, height, width, channels] = x;
  const [kh, kw, perGroup, out] = weight;
  if (perGroup * groups !== channels) {
    throw new ShapeError(`conv2d: ${channels} input channels are not ${groups} group(s) of the weight's ${perGroup}: ${got}`);
  }
  if (out % groups !== 0) throw new ShapeError(`conv2d: ${out} output channels do not divide into ${groups} groups: ${got}`);
  if (images < 1) throw new ShapeError(`conv2d: the batch is empty, ${got}`);
  const extents = [
    [height, kh],
    [width, kw],
  ].map(([extent, kernel], axis) => Math.floor((extent + 2 * padding[axis] - dilation[axis] * (kernel - 1) - 1) / stride[axis]) + 1);
  if (kh < 1 || kw < 1 || extents[0] < 1 || extents[1] < 1) {
    throw new ShapeError(
      `conv2d: the kernel does not fit into the padded input; ${got}, padding ${formatShape(padding)}, dilation ${formatShape(dilation)}`,
    );
  }
  return [images, extents[0], extents[1], out];
}

function assertIntegers(what: string, values: readonly number[], least: number): void {
  if (values.some((v) => !Number.isInteger(v) || v < least)) {
    throw new ShapeError(`conv2d: ${what} must be whole and at least ${least}, got ${formatShape(values)}`);
  }
}

/**
 * Positions along one axis, as shaders/conv2d.wgsl walks them: target `first + i * spacing` for `i < extent` gathers
 * source `i * stride + offset + k * step` through the kernel's row `tapFirst + k * tapStep`, for `k < taps`.
 */
export interface Walk {
  readonly extent: number;
  readonly first: number;
  readonly spacing: number;
  readonly stride: number;
  readonly offset: number;
  readonly step: number;
  readonly taps: number;
  readonly tapFirst: number;
  readonly tapStep: number;
}

/** The forward pass along one axis. */
function forwardWalk(extent: number, kernel: number, stride: number, padding: number, dilation: number): Walk {
  return { extent, first: 0, spacing: 1, stride, offset: -padding, step: dilation, taps: kernel, tapFirst: 0, tapStep: 1 };
}

/**
 * The input gradient along one axis, one walk for each residue of the input's position modulo the stride: tap k reaches
 * position p from output (p + padding - k * dilation) / stride, where that is whole, which for one residue holds for
 * every `stride / gcd(stride, dilation)`-th tap or for none.
 */
function gradientWalks(extent: number, kernel: number, stride: number, padding: number, dilation: number): Walk[] {
  const tapStep = stride / gcd(stride, dilation);
  const walks: Walk[] = [];
  for (let first = 0; first < Math.min(stride, extent); first++) {
    let tapFirst = 0;
    while (tapFirst < tapStep && (first + padding - tapFirst * dilation) % stride !== 0) tapFirst++;
    const reached = tapFirst < Math.min(tapStep, kernel);
    walks.push({
      extent: Math.ceil((extent - first) / stride),
      first,
      spacing: stride,
      stride: 1,
      offset: reached ? (first + padding - tapFirst * dilation) / stride : 0,
      step: (-tapStep * dilation) / stride,
      taps: reached ? Math.ceil((kernel - tapFirst) / tapStep) : 0,
      tapFirst,
      tapStep,
    });
  }
  return walks;
}

/** The walks of the forward pass along the two axes. */
export function forwardWalks(shape: readonly number[], weight: readonly number[], { stride, padding, dilation }: ConvOptions): [Walk, Walk] {
  const along = (axis: 0 | 1): Walk => forwardWalk(shape[1 + axis], weight[axis], stride[axis], padding[axis], dilation[axis]);
  return [along(0), along(1)];
}

/** Those of the input gradient, of which every pair is computed. */
export function inputWalks(x: readonly number[], weight: readonly number[], { stride, padding, dilation }: ConvOptions): [Walk[], Walk[]] {
  const along = (axis: 0 | 1): Walk[] => gradientWalks(x[1 + axis], weight[axis], stride[axis], padding[axis], dilation[axis]);
  return [along(0), along(1)];
}

/** The two walks as fields of `Params`: extent_y, extent_x, first_y and so on. */
export function walkParams(y: Walk, x: Walk): Record<string, number> {
  const params: Record<string, number> = {};
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
  return params;
}

/** What the weight gradient's kernels are told of a convolution of `x` whose output is of shape `out`. */
export function gradientParams(x: readonly number[], out: readonly number[], { stride, padding, dilation }: ConvOptions): Record<string, number> {
  return {
    out_y: out[1],
    out_x: out[2],
    source_y: x[1],
    source_x: x[2],
    stride_y: stride[0],
    stride_x: stride[1],
    padding_y: padding[0],
    padding_x: padding[1],
    dilation_y: dilation[0],
    dilation_x: dilation[1],
  };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
