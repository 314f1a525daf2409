/** Between raw little-endian bytes and host tensors: what every weights format shares. */
import { DtypeError } from '../errors';
import { bfloatToFloat, DTYPE_SIZE, floatToBfloat, floatToHalf, halfToFloat, toFloat32 } from '../hostTensor';
import type { Dtype, HostArray, HostTensor } from '../hostTensor';

type HostArrayConstructor = {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): HostArray;
};

const ARRAY_OF: Readonly<Record<Dtype, HostArrayConstructor>> = {
  F64: Float64Array, F32: Float32Array, F16: Uint16Array, BF16: Uint16Array, I64: BigInt64Array,
  I32: Int32Array, I16: Int16Array, I8: Int8Array, U8: Uint8Array, BOOL: Uint8Array,
};

/** The bytes as the dtype's array: a view where alignment allows, else a copy. `bytes` holds whole elements. */
export function arrayFromBytes(dtype: Dtype, bytes: Uint8Array): HostArray {
  const size = DTYPE_SIZE[dtype];
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new ARRAY_OF[dtype](aligned.buffer, aligned.byteOffset, aligned.byteLength / size);
}

/** Whether `data` is the array that `dtype` is kept in. */
export function holds(dtype: Dtype, data: HostArray): boolean {
  return data instanceof ARRAY_OF[dtype];
}

/** Whether the dtype is a floating-point one. */
export function isFloat(dtype: Dtype): boolean {
  return dtype === 'F64' || dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/**
 * The tensor with its elements in another floating-point type, rounded to nearest even. Integer tensors come back as
 * they are. @throws DtypeError when a finite value has no finite counterpart (F16 ends at 65504).
 */
export function convertFloat(tensor: HostTensor, dtype: 'F32' | 'F16' | 'BF16', name = 'tensor'): HostTensor {
  if (tensor.dtype === dtype || !isFloat(tensor.dtype)) return tensor;
  const values = toFloat32(tensor);
  if (dtype === 'F32') return { dtype, shape: tensor.shape, data: values };
  const encode = dtype === 'F16' ? floatToHalf : floatToBfloat;
  const infinity = dtype === 'F16' ? 0x7c00 : 0x7f80;
  const data = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    data[i] = encode(values[i]);
    if ((data[i] & 0x7fff) === infinity && Number.isFinite(values[i])) {
      throw new DtypeError(`${name}: ${values[i]} (element ${i}) does not fit ${dtype}. Save it as ${dtype === 'F16' ? 'BF16 or ' : ''}F32.`);
    }
  }
  return { dtype, shape: tensor.shape, data };
}

/** Whether any element is NaN or infinite. Integers never are. */
export function hasNonFinite(tensor: HostTensor): boolean {
  const { data, dtype } = tensor;
  if (dtype === 'F16' || dtype === 'BF16') {
    const exponent = dtype === 'F16' ? 0x7c00 : 0x7f80;
    return (data as Uint16Array).some((bits) => (bits & exponent) === exponent);
  }
  if (!isFloat(dtype)) return false;
  return (data as Float32Array | Float64Array).some((value) => !Number.isFinite(value));
}

/** One element as a number, for messages and tables; I64 beyond 2^53 is rounded. */
export function elementAt(tensor: HostTensor, index: number): number {
  const value = Number(tensor.data[index]);
  if (tensor.dtype === 'F16') return halfToFloat(value);
  return tensor.dtype === 'BF16' ? bfloatToFloat(value) : value;
}
