/** Tensors in ordinary memory: what weight files, fixtures and data loaders hand over, and the order of their axes. No GPU here. */
import { ShapeError, formatShape } from './errors';

/** Element types as safetensors names them. */
export type Dtype = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** The array that holds each dtype. F16 and BF16 are kept as raw 16-bit patterns. */
export type HostArray =
  | Float64Array | Float32Array | Uint16Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;

/** A dense row-major tensor. Layout of images and convolution weights is PyTorch's (NCHW, OIHW). */
export interface HostTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: HostArray;
}

/** Bytes of one element. */
export const DTYPE_SIZE: Readonly<Record<Dtype, number>> = {
  F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1,
};

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const extent of shape) size *= extent;
  return size;
}

/** Shorthand for an F32 host tensor. */
export function f32(shape: readonly number[], data: Float32Array): HostTensor {
  return { dtype: 'F32', shape, data };
}

const bits = new DataView(new ArrayBuffer(4));

/** The last digit of a binary16 by its exponent field; powers are slow to compute, and there are millions of weights. */
const UNITS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(1, exponent) - 25));

/** IEEE binary16 bits to a number. Exact, including subnormals, infinities and NaN. */
export function halfToFloat(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * UNITS[0];
  return sign * (1024 + fraction) * UNITS[exponent];
}

/** A number to IEEE binary16 bits, rounding to nearest even; too large becomes infinity. */
export function floatToHalf(value: number): number {
  bits.setFloat32(0, value);
  const x = bits.getUint32(0);
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: the value in units of 2^-24, rounded to nearest even.
    const units = Math.abs(value) * 2 ** 24;
    const floor = Math.floor(units);
    const rest = units - floor;
    return sign | (rest > 0.5 || (rest === 0.5 && floor & 1) ? floor + 1 : floor);
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** bfloat16 bits to a number. */
export function bfloatToFloat(b: number): number {
  bits.setUint32(0, b << 16);
  return bits.getFloat32(0);
}

/** A number to bfloat16 bits, rounding to nearest even. */
export function floatToBfloat(value: number): number {
  bits.setFloat32(0, value);
  const x = bits.getUint32(0);
  if ((x & 0x7fffffff) > 0x7f800000) return (x >>> 16) | 0x40;
  return (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
}

/** The tensor's elements as f32, whatever its dtype; no copy when it is F32 already. */
export function toFloat32(tensor: HostTensor): Float32Array {
  const { dtype, data } = tensor;
  if (dtype === 'F32') return data as Float32Array;
  if (dtype === 'F16') return fromHalves(data as Uint16Array);
  if (dtype === 'BF16') return Float32Array.from(data as Uint16Array, bfloatToFloat);
  return Float32Array.from(data as ArrayLike<number | bigint>, Number);
}

/** Numbers as binary16 bits, each rounded to nearest even; too large becomes infinity. */
export function toHalves(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) halves[i] = floatToHalf(values[i]);
  return halves;
}

/** binary16 bits as numbers. */
export function fromHalves(halves: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const values = new Float32Array(halves.length);
  for (let i = 0; i < values.length; i++) values[i] = halfToFloat(halves[i]);
  return values;
}

/**
 * How elements are ordered on the host's side: `plain` as they are; `image` NCHW outside, NHWC inside; `conv` OIHW
 * outside, HWIO inside.
 */
export type Layout = 'plain' | 'image' | 'conv';

/** Axes of the outside order, as positions in the inside order. */
const PERMUTATIONS: Readonly<Record<Exclude<Layout, 'plain'>, readonly number[]>> = {
  image: [0, 3, 1, 2], // NCHW from NHWC
  conv: [3, 2, 0, 1], // OIHW from HWIO
};

/** The outside shape of an inside one. */
export function outsideShape(inside: readonly number[], layout: Layout): number[] {
  return layout === 'plain' ? [...inside] : PERMUTATIONS[layout].map((axis) => inside[axis]);
}

/** The inside shape and elements of what is in the outside order. @throws ShapeError unless there are 4 axes, but for `plain`. */
export function toInside<T extends Float32Array | Uint16Array>(shape: readonly number[], data: T, layout: Layout): { shape: number[]; data: T } {
  if (layout === 'plain') return { shape: [...shape], data };
  if (shape.length !== 4) throw new ShapeError(`a tensor of layout '${layout}' has 4 axes, got ${formatShape(shape)}`);
  const inverse = [0, 1, 2, 3].map((axis) => PERMUTATIONS[layout].indexOf(axis));
  return { shape: inverse.map((axis) => shape[axis]), data: permute(shape, data, inverse) };
}

/** The reverse: `shape` is the inside shape. */
export function toOutside<T extends Float32Array | Uint16Array>(shape: readonly number[], data: T, layout: Layout): T {
  return layout === 'plain' ? data : permute(shape, data, PERMUTATIONS[layout]);
}

/** `out[i0, i1, i2, i3] = data[...]` with axis k of the result being axis `axes[k]` of the source. */
function permute<T extends Float32Array | Uint16Array>(shape: readonly number[], data: T, axes: readonly number[]): T {
  const strides = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1];
  const [n0, n1, n2, n3] = axes.map((axis) => shape[axis]);
  const [s0, s1, s2, s3] = axes.map((axis) => strides[axis]);
  const out = data.slice() as T;
  let at = 0;
  for (let i = 0; i < n0; i++) {
    for (let j = 0; j < n1; j++) {
      for (let k = 0; k < n2; k++) {
        const start = i * s0 + j * s1 + k * s2;
        for (let l = 0; l < n3; l++) out[at++] = data[start + l * s3];
      }
    }
  }
  return out;
}
