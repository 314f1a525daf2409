/**
 * Single elements of products and convolutions in double precision, straight from their definitions: what says whether
 * an algorithm computes what it should. Slow, so it is asked for samples only.
 */
import type { ConvShape } from '../kernels/conv2d/conv2d';
import { conv2dShape } from '../kernels/conv2d/shape';
import type { MatmulShape } from '../kernels/matmul/matmul';

/** Operands on the host, by the names the family gives them. */
export type HostOperands = Readonly<Record<string, Float32Array>>;

/** The value that `out` should have at a flat index. */
export type Exact = (index: number) => number;

type Definition = (shape: never, operands: HostOperands) => Exact;

const DEFINITIONS: Readonly<Record<string, Definition>> = {
  matmul: exactMatmul,
  conv2d: exactConv,
  conv2d_backward_input: exactInput,
  conv2d_backward_weight: exactWeight,
};

/** The definition of a family's problem, or undefined for a family that has none here. */
export function exactOf(family: string, shape: unknown, operands: HostOperands): Exact | undefined {
  return Object.hasOwn(DEFINITIONS, family) ? DEFINITIONS[family](shape as never, operands) : undefined;
}

function exactMatmul({ m, n, k, transposeA, transposeB }: MatmulShape, { a, b }: HostOperands): Exact {
  return (index) => {
    const [column, row, matrix] = unravel(index, [n, m]);
    let sum = 0;
    for (let i = 0; i < k; i++) {
      const left = a[matrix * m * k + (transposeA ? i * m + row : row * k + i)];
      sum += left * b[matrix * k * n + (transposeB ? column * k + i : i * n + column)];
    }
    return sum;
  };
}

function exactConv(shape: ConvShape, { x, weight }: HostOperands): Exact {
  const { options: { stride, padding, dilation, groups } } = shape;
  const [, height, width, channels] = shape.x;
  const [kh, kw, perGroup, out] = shape.weight;
  const [, oh, ow] = conv2dShape(shape.x, shape.weight, shape.options);
  return (index) => {
    const [o, ox, oy, image] = unravel(index, [out, ow, oh]);
    const first = Math.floor(o / (out / groups)) * perGroup;
    let sum = 0;
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const y = oy * stride[0] + ky * dilation[0] - padding[0];
        const xx = ox * stride[1] + kx * dilation[1] - padding[1];
        if (y < 0 || xx < 0 || y >= height || xx >= width) continue;
        const [pixel, tap] = [((image * height + y) * width + xx) * channels + first, (ky * kw + kx) * perGroup];
        for (let c = 0; c < perGroup; c++) sum += x[pixel + c] * weight[(tap + c) * out + o];
      }
    }
    return sum;
  };
}

function exactInput(shape: ConvShape, { dy, weight }: HostOperands): Exact {
  const { options: { stride, padding, dilation, groups } } = shape;
  const [, height, width, channels] = shape.x;
  const [kh, kw, perGroup, out] = shape.weight;
  const [, oh, ow] = conv2dShape(shape.x, shape.weight, shape.options);
  const outs = out / groups;
  return (index) => {
    const [c, xx, y, image] = unravel(index, [channels, width, height]);
    const [group, inGroup] = [Math.floor(c / perGroup), c % perGroup];
    let sum = 0;
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const oy = (y + padding[0] - ky * dilation[0]) / stride[0];
        const ox = (xx + padding[1] - kx * dilation[1]) / stride[1];
        if (!Number.isInteger(oy) || !Number.isInteger(ox) || oy < 0 || ox < 0 || oy >= oh || ox >= ow) continue;
        const [pixel, tap] = [((image * oh + oy) * ow + ox) * out + group * outs, ((ky * kw + kx) * perGroup + inGroup) * out + group * outs];
        for (let o = 0; o < outs; o++) sum += dy[pixel + o] * weight[tap + o];
      }
    }
    return sum;
  };
}

function exactWeight(shape: ConvShape, { x, dy }: HostOperands): Exact {
  const { options: { stride, padding, dilation, groups } } = shape;
  const [images, height, width, channels] = shape.x;
  const [, kw, perGroup, out] = shape.weight;
  const [, oh, ow] = conv2dShape(shape.x, shape.weight, shape.options);
  return (index) => {
    const [o, c, kx, ky] = unravel(index, [out, perGroup, kw]);
    const channel = Math.floor(o / (out / groups)) * perGroup + c;
    let sum = 0;
    for (let image = 0; image < images; image++) {
      for (let oy = 0; oy < oh; oy++) {
        const y = oy * stride[0] + ky * dilation[0] - padding[0];
        if (y < 0 || y >= height) continue;
        for (let ox = 0; ox < ow; ox++) {
          const xx = ox * stride[1] + kx * dilation[1] - padding[1];
          if (xx < 0 || xx >= width) continue;
          sum += x[((image * height + y) * width + xx) * channels + channel] * dy[((image * oh + oy) * ow + ox) * out + o];
        }
      }
    }
    return sum;
  };
}

/** A flat index as positions along axes, the fastest first; what is left over comes last. */
function unravel(index: number, extents: readonly number[]): number[] {
  const positions: number[] = [];
  let rest = index;
  for (const extent of extents) {
    positions.push(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return [...positions, rest];
}
