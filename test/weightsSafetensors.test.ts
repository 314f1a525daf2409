/** safetensors: what is written is read back, and a header that lies is told so. */
import { describe, expect, it } from 'vitest';
import { DtypeError, ShapeError, WeightsError } from '../src/errors';
import { DTYPE_SIZE, f32, floatToHalf, halfToFloat, toFloat32 } from '../src/hostTensor';
import type { Dtype, HostTensor } from '../src/hostTensor';
import { bytesSource } from '../src/weights/byteSource';
import { openSafetensors, serializeSafetensors } from '../src/weights/safetensors';
import { arrayFromBytes } from '../src/weights/tensorBytes';
import { readAll } from '../src/weights/weightsFile';

const read = (bytes: Uint8Array) => openSafetensors(bytesSource(bytes, 'x.safetensors'));

/** A file with this header (an object, or text as it is) and so many data bytes. */
function file(header: unknown, dataBytes = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

const tensor = (begin: number, end: number, shape = [(end - begin) / 4], dtype = 'F32') => ({ dtype, shape, data_offsets: [begin, end] });

describe('round trip', () => {
  const every = new Map<string, HostTensor>(
    (Object.keys(DTYPE_SIZE) as Dtype[]).map((dtype) => {
      const bytes = Uint8Array.from({ length: 6 * DTYPE_SIZE[dtype] }, (_, i) => (dtype === 'BOOL' ? i % 2 : i * 7));
      return [`layer.${dtype}`, { dtype, shape: [2, 3], data: arrayFromBytes(dtype, bytes) }];
    }));

  it('every dtype, in the order given, with metadata', async () => {
    const tensors = new Map(every).set('1', f32([], Float32Array.of(5))).set('0', f32([0, 4], new Float32Array())).set('__proto__', f32([1], Float32Array.of(2)));
    const opened = await read(serializeSafetensors(tensors, { metadata: { classes: '["ä","猫"]', __proto__x: 'y' } }));
    expect(opened.names).toEqual([...tensors.keys()]);
    expect(opened.metadata).toEqual({ classes: '["ä","猫"]', __proto__x: 'y' });
    expect(await readAll(opened)).toEqual(tensors);
  });

  it('from a plain object, and of nothing at all', async () => {
    const opened = await read(serializeSafetensors({ b: f32([2], Float32Array.of(1, NaN)), a: f32([1], Float32Array.of(3)) }));
    expect(opened.names).toEqual(['b', 'a']);
    expect([...(await opened.read('b')).data]).toEqual([1, NaN]);
    expect((await read(serializeSafetensors({}))).names).toEqual([]);
  });

  it('data starts at a multiple of eight and every tensor is aligned', async () => {
    for (let length = 1; length < 10; length++) {
      const bytes = serializeSafetensors({ ['n'.repeat(length)]: { dtype: 'U8', shape: [1], data: Uint8Array.of(9) }, w: f32([1], Float32Array.of(1)) });
      const headerSize = new DataView(bytes.buffer).getUint32(0, true);
      expect(headerSize % 8).toBe(0);
      const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerSize))) as Record<string, { data_offsets: number[] }>;
      expect(header.w.data_offsets).toEqual([0, 4]);
    }
  });

  it('a view into a larger array writes only its own elements', async () => {
    const view = Float32Array.of(0, 1, 2, 3).subarray(1, 3);
    expect([...(await (await read(serializeSafetensors({ w: f32([2], view) }))).read('w')).data]).toEqual([1, 2]);
  });

  it.each(['F16', 'BF16'] as const)('converts floats to %s, rounding to nearest even, and leaves integers', async (dtype) => {
    const values = Float32Array.of(0, -1.5, 3.14159, 65504, NaN, -Infinity, 1e-7);
    const bytes = serializeSafetensors({ w: f32([7], values), n: { dtype: 'I64', shape: [1], data: BigInt64Array.of(3n) } }, { dtype });
    const opened = await read(bytes);
    expect([opened.info('w').dtype, opened.info('n').dtype]).toEqual([dtype, 'I64']);
    const back = toFloat32(await opened.read('w'));
    values.forEach((value, i) => {
      if (Number.isFinite(value)) expect(Math.abs(back[i] - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** (dtype === 'F16' ? -11 : -9) + 2 ** -25);
      else expect(back[i]).toBe(value);
    });
    if (dtype === 'F16') expect(back[2]).toBe(halfToFloat(floatToHalf(3.14159)));
  });

  it('a value that F16 cannot hold is an error, not infinity', () => {
    expect(() => serializeSafetensors({ 'bn.running_var': f32([2], Float32Array.of(1, 70000)) }, { dtype: 'F16' }))
      .toThrow(new DtypeError("tensor 'bn.running_var': 70000 (element 1) does not fit F16. Save it as BF16 or F32."));
  });

  it('an array that does not fit its shape or dtype is refused', () => {
    expect(() => serializeSafetensors({ w: f32([3], new Float32Array(2)) })).toThrow(ShapeError);
    expect(() => serializeSafetensors({ w: { dtype: 'F16', shape: [2], data: new Float32Array(2) } })).toThrow("tensor 'w' is F16 [2] but its array is a Float32Array of 2");
    expect(() => serializeSafetensors({ __metadata__: f32([1], new Float32Array(1)) })).toThrow(WeightsError);
  });
});

describe('an unknown tensor', () => {
  it('is an error that names the nearest', async () => {
    const opened = await read(serializeSafetensors({ 'conv1.weight': f32([1], Float32Array.of(1)) }));
    expect(() => opened.info('conv1.weigth')).toThrow("x.safetensors: no tensor 'conv1.weigth' among its 1. Did you mean 'conv1.weight'?");
    await expect(opened.read('toString')).rejects.toBeInstanceOf(WeightsError);
  });
});

describe('a file that lies', () => {
  const long = new Uint8Array(64);
  new DataView(long.buffer).setUint32(0, 100_000_001, true);
  const huge = new Uint8Array(64).fill(255);
  const cases: [string, Uint8Array, string][] = [
    ['shorter than a header length', new Uint8Array(7), '7 bytes is too short'],
    ['a header over 100 MB', long, 'its header would be 100000001 bytes (limit 100000000)'],
    ['a header of 2^64 bytes', huge, 'not a safetensors file'],
    ['a header longer than the file', file('{}').subarray(0, 9), 'the file has 9: it is truncated'],
    ['a header that is no JSON', file('{"a":'), 'is not JSON'],
    ['a header that is not UTF-8', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff, 0x7d), 'is not JSON'],
    ['a header that is a list', file('[]'), 'is not a JSON object'],
    ['fifty thousand brackets', file(`{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`), "tensor 'a' has no description"],
    ['a number for a tensor', file({ a: 1 }), "tensor 'a' has no description"],
    ['an unknown dtype', file({ a: tensor(0, 4, [1], 'F8_E4M3') }, 4), "has type 'F8_E4M3', which Graft does not read. It reads F64, F32"],
    ['a dtype that objects inherit', file({ a: tensor(0, 4, [1], 'constructor') }, 4), "has type 'constructor'"],
    ['a negative extent', file({ a: tensor(0, 4, [-1]) }, 4), 'no valid shape'],
    ['a fractional extent', file({ a: tensor(0, 4, [0.5]) }, 4), 'no valid shape'],
    ['an extent over 2^53', file('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', 4), 'no valid shape'],
    ['extents whose product overflows', file({ a: tensor(0, 4, [2 ** 40, 2 ** 40, 2 ** 40]) }, 4), 'but has 4: the file is damaged'],
    ['a shape that is no list', file({ a: { ...tensor(0, 4), shape: 'x' } }, 4), 'no valid shape'],
    ['one offset', file({ a: { ...tensor(0, 4), data_offsets: [0] } }, 4), 'no valid data_offsets'],
    ['offsets backwards', file({ a: tensor(4, 0, [1]) }, 4), 'lies at data bytes 4 to 0, but there are 4'],
    ['offsets past the end', file({ a: tensor(0, 8) }, 4), 'lies at data bytes 0 to 8, but there are 4: the file is truncated or damaged'],
    ['bytes that do not fit the shape', file({ a: tensor(0, 8, [3]) }, 8), 'is F32 [3], 12 bytes, but has 8'],
    ['overlapping tensors', file({ a: tensor(0, 8), b: tensor(4, 12) }, 12), "tensor 'b' overlaps the tensor before it (byte 4"],
    ['two tensors in one place', file({ a: tensor(0, 8), b: tensor(0, 8) }, 8), "tensor 'b' overlaps"],
    ['a hole', file({ a: tensor(0, 4), b: tensor(8, 12) }, 12), "data bytes 4 to 8, before tensor 'b', belong to no tensor"],
    ['a rest', file({ a: tensor(0, 4) }, 12), 'the last 8 bytes belong to no tensor'],
    ['a name twice', file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8), "its header names 'a' twice"],
    ['metadata that is no object', file({ __metadata__: 'x' }), '__metadata__ is not an object'],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }), "__metadata__ entry 'a' is not a string"],
    ['a name with a line break and an escape', file({ 'a\n\u001b[31m': 1 }), "tensor 'a\\n\\u001b[31m' has no description"],
  ];
  it.each(cases)('%s', async (_, bytes, message) => {
    const error: unknown = await read(bytes).then(() => undefined, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(WeightsError);
    expect((error as WeightsError).message).toContain(message);
    expect((error as WeightsError).message).toMatch(/^x\.safetensors: [^\n]+$/);
  });

  it('empty tensors share a place without overlap', async () => {
    const opened = await read(file({ a: tensor(0, 0, [0]), b: tensor(0, 4), c: tensor(4, 4, [3, 0]) }, 4));
    expect((await opened.read('c')).data.length).toBe(0);
  });

  it('a file that shrinks while it is read', async () => {
    const bytes = serializeSafetensors({ w: f32([4], new Float32Array(4)) });
    let cut = false;
    const opened = await openSafetensors({ name: 'x', size: bytes.length, read: async (at, length) => bytes.subarray(at, at + (cut ? length - 1 : length)) });
    cut = true;
    await expect(opened.read('w')).rejects.toThrow("x: got 15 of 16 bytes of tensor 'w': the file changed while it was read.");
  });
});
