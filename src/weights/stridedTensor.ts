/**
 * Reads a PyTorch tensor out of its storage: only the bytes between its first and last element, gathered by strides
 * into a dense row-major array. The host machine is taken to be little-endian, as every one with WebGPU is.
 */
import { WeightsError, formatShape } from '../errors';
import { DTYPE_SIZE, sizeOf } from '../hostTensor';
import type { Dtype, HostTensor } from '../hostTensor';
import { allocate, quote } from './byteSource';
import { arrayFromBytes } from './tensorBytes';
import type { TensorRef } from './torchPickle';

/** A tensor may repeat elements (stride 0, as `expand` writes them), but a few bytes must not become gigabytes. */
const MAX_REPEATED_BYTES = 256 << 20;

/** Bytes `start` to `start + length` of the storage with this key. */
export type StorageReader = (key: string, start: number, length: number) => Promise<Uint8Array>;

/** Reads `tensor`, called `name` in `file`. @throws WeightsError when its bytes cannot be read or held. */
export async function readTensor(
  file: string,
  name: string,
  tensor: TensorRef,
  readStorage: StorageReader,
  bigEndian: boolean,
): Promise<HostTensor> {
  const { storage, offset, shape, stride } = tensor;
  const size = DTYPE_SIZE[storage.dtype];
  const count = shape.includes(0) ? 0 : sizeOf(shape);
  if (count * size > MAX_REPEATED_BYTES && count > storage.numel) {
    throw new WeightsError(`${file}: tensor ${quote(name)} is ${formatShape(shape)} but repeats a storage of ${storage.numel} elements. Save it again after .clone().`);
  }
  let extent = 0;
  if (count > 0) {
    extent = 1;
    for (let axis = 0; axis < shape.length; axis++) extent += (shape[axis] - 1) * stride[axis];
  }
  let bytes = await readStorage(storage.key, (storage.base + offset) * size, extent * size);
  if (bigEndian && size > 1) bytes = swapBytes(bytes, size);
  if (!isDense(shape, stride) && count > 0) {
    bytes = gather(bytes, allocate(count * size, file, `tensor ${quote(name)}`), size, shape, stride);
  }
  return { dtype: storage.dtype, shape, data: arrayFromBytes(storage.dtype, bytes) };
}

/** Whether the elements lie in row-major order without gaps; the stride of an axis of extent 1 says nothing. */
function isDense(shape: readonly number[], stride: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

/** Copies the elements at `stride` in `bytes` to `out`, end to end. Whole elements move, so their type is no matter. */
function gather(bytes: Uint8Array, out: Uint8Array, size: number, shape: readonly number[], stride: readonly number[]): Uint8Array {
  const unit: Dtype = size === 8 ? 'I64' : size === 4 ? 'I32' : size === 2 ? 'I16' : 'U8';
  const from = arrayFromBytes(unit, bytes);
  const to = arrayFromBytes(unit, out);
  const count = to.length;
  const rank = shape.length;
  const inner = shape[rank - 1];
  const step = stride[rank - 1];
  const index = new Array<number>(rank).fill(0);
  let start = 0;
  for (let i = 0; i < count; i += inner) {
    for (let j = 0; j < inner; j++) to[i + j] = from[start + j * step];
    // On to the next row: the last axis but one moves fastest.
    for (let axis = rank - 2; axis >= 0; axis--) {
      start += stride[axis];
      if (++index[axis] < shape[axis]) break;
      start -= shape[axis] * stride[axis];
      index[axis] = 0;
    }
  }
  return out;
}

function swapBytes(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(bytes.byteLength);
  for (let i = 0; i < bytes.byteLength; i += size) {
    for (let j = 0; j < size; j++) out[i + j] = bytes[i + size - 1 - j];
  }
  return out;
}
