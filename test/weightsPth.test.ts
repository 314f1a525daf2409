/** PyTorch checkpoints: files that PyTorch wrote are read exactly; damaged and hostile ones end in a WeightsError, soon. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WeightsError } from '../src/errors';
import { openFile } from '../src/node/fileSource';
import { bytesSource } from '../src/weights/byteSource';
import { openWeights } from '../src/weights/open';
import { serializeSafetensors } from '../src/weights/safetensors';
import { elementAt, hasNonFinite } from '../src/weights/tensorBytes';
import { readAll } from '../src/weights/weightsFile';
import { EXPECTED, FOLDER, expectOnlyWeightsErrors, fixture, open, pickled, zipOf } from './weightFiles';

describe('files PyTorch wrote', () => {
  for (const [name, tensors] of Object.entries(EXPECTED)) {
    it(`${name} is read exactly`, async () => {
      const source = await openFile(join(FOLDER, name));
      const file = await openWeights(source);
      expect(file.format).toBe(/legacy|old/.test(name) ? 'pth-legacy' : name.endsWith('.safetensors') ? 'safetensors' : 'pth');
      expect(new Set(file.names)).toEqual(new Set(Object.keys(tensors)));
      for (const [tensor, [dtype, shape, values]] of Object.entries(tensors)) {
        expect(file.info(tensor)).toEqual({ dtype, shape });
        const read = await file.read(tensor);
        expect({ dtype: read.dtype, shape: read.shape }).toEqual({ dtype, shape });
        expect(Array.from({ length: read.data.length }, (_, i) => elementAt(read, i)), tensor).toEqual(values.map(Number));
      }
      await file.close();
    });
  }

  it('keeps the order of the state dict', async () => {
    expect((await open('state-dict.pth')).names).toEqual(
      ['conv.weight', 'conv.bias', 'bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var', 'bn.num_batches_tracked']);
  });

  it('I64 keeps all its bits', async () => {
    for (const name of ['dtypes.pth', 'dtypes-legacy.pth', 'dtypes.safetensors', 'big-endian.pth']) {
      expect([...(await (await open(name)).read('0')).data], name).toEqual([2n ** 53n + 2n, -(2n ** 40n)]);
    }
  });

  it('NaN and infinities load, and are seen', async () => {
    const tensor = await (await open('dtypes.pth')).read('odd values');
    expect([...tensor.data]).toEqual([NaN, Infinity, -Infinity, -0]);
    expect(hasNonFinite(tensor)).toBe(true);
    expect(hasNonFinite(await (await open('dtypes.pth')).read('F32'))).toBe(false);
    expect(hasNonFinite({ dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0x7e00) })).toBe(true);
    expect(hasNonFinite({ dtype: 'BF16', shape: [2], data: Uint16Array.of(0x7f7f, 0x3f80) })).toBe(false);
    expect(hasNonFinite({ dtype: 'I64', shape: [1], data: BigInt64Array.of(1n) })).toBe(false);
  });

  it('reads only the bytes a tensor spans', async () => {
    const bytes = fixture('layouts.pt');
    let read = 0;
    const file = await openWeights({ ...bytesSource(bytes, 'x.pt'), read: async (offset, length) => {
      read += length;
      return bytes.subarray(offset, offset + length);
    } });
    read = 0;
    await file.read('offset');
    expect(read).toBe(30 + 6 * 4);
  });

  it('says which state dict of a checkpoint it took', async () => {
    expect((await open('state-dict.pth')).notes).toEqual([]);
    expect((await open('checkpoint.pth')).notes).toEqual(["Took the state dict under 'state_dict'; there is also 'state_dict_ema'."]);
    expect((await open('nested.pth')).notes).toEqual(["Took the state dict under 'model' / 'model_state_dict'."]);
    expect((await open('unknown-wrapper.pth')).notes).toEqual(["Took the state dict under 'trunk'."]);
    expect((await open('mixed.pth')).notes).toEqual(["Left out 2 entries that are not tensors: 'step', 'extra'."]);
  });

  it('a converted file holds the same tensors', async () => {
    const tensors = await readAll(await open('layouts.pt'));
    const again = await openWeights(bytesSource(serializeSafetensors(tensors), 'x.safetensors'));
    expect(await readAll(again)).toEqual(tensors);
  });
});

describe('what is refused, and how', () => {
  it.each([
    ['two-models.pth', "several state dicts in it ('student', 'teacher')"],
    ['one-tensor.pth', 'holds a single tensor, not a state dict'],
    ['optimizer-only.pth', "no state dict in it; its keys are 'optimizer'"],
    ['whole-model.pth', "asks for the Python global 'torch.nn.modules.container.Sequential', which is not allowed"],
    ['torchscript.pt', 'is a TorchScript program'],
    ['hostile.pth', 'asks for the Python global '],
  ])('%s', async (name, message) => {
    const error = await open(name).then(() => undefined, (reason: unknown) => reason);
    expect(error).toBeInstanceOf(WeightsError);
    expect((error as WeightsError).message).toContain(message);
    expect((error as WeightsError).message).toContain(name);
    expect((error as WeightsError).message).not.toContain('\n');
    expect(existsSync('graft-was-here')).toBe(false);
  });

  const root = (body: string): Promise<unknown> => openWeights(bytesSource(zipOf({ 'a/data.pkl': pickled(body) }), 'x.pth'));
  /** (storage '0' of `count` floats, offset, shape, stride) handed to _rebuild_tensor_v2, under the key 'w'. */
  const tensor = (count: string, layout: string): string =>
    `}(X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpu${count}tQ${layout}\x89}tRu.`;
  const load = (body: string, data = new Uint8Array(16)) =>
    openWeights(bytesSource(zipOf({ 'a/data.pkl': pickled(body), 'a/data/0': data }), 'x.pth'));

  it('the hand-made pickle of these tests is right when nothing is wrong with it', async () => {
    const file = await load(tensor('K\x04', 'K\x00K\x02K\x02\x86K\x02K\x01\x86'), new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer));
    expect([...(await file.read('w')).data]).toEqual([1, 2, 3, 4]);
  });

  it.each([
    ['builtins eval', 'cbuiltins\neval\n(X\x01\0\0\0xtR.', "'builtins.eval'"],
    ['os.system by STACK_GLOBAL', '\x8c\x02os\x8c\x06system\x93.', "'os.system'"],
    ['a global with a line break in it', '\x8c\x03o\ns\x8c\x06system\x93.', "'o\\ns.system'"],
    ['torch.load itself', 'ctorch\nload\n.', "'torch.load'"],
    ['an instance by INST', '(ios\nsystem\n.', 'instruction Graft does not run (0x69)'],
    ['an extension code', '\x82\x01.', 'instruction Graft does not run (0x82)'],
    ['calling a string', 'X\x01\0\0\0x)R.', 'calls what is not a function'],
    ['attributes on a dict', '}NbN.', 'sets the state of an object'],
    ['a number of 2 GB', '\x8b\xff\xff\xff\x7f', 'a number of 2147483647 bytes (limit 64)'],
    ['bytes of 8 EB', '\x8e\xff\xff\xff\xff\xff\xff\xff\x7f', 'ends before it is complete'],
    ['text of 2 GB', 'X\xff\xff\xff\x7fabc', 'ends before it is complete'],
    ['an empty stack', '0.', 'empty stack'],
    ['a missing mark', 't.', 'mark that is not there'],
    ['an unknown memo', 'h\x05.', 'recalls memo 5'],
    ['a text number of a million digits', `I${'9'.repeat(1_000_000)}\n.`, 'a line of more than'],
    ['a storage that is not there', `}X\x01\0\0\0w(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x009X\x03\0\0\0cpuK\x04tQs.`, "storage '9' should be 16 bytes but is not in the archive"],
  ])('%s', async (_, body, message) => {
    await expect(root(body)).rejects.toThrow(message);
    await expect(root(body)).rejects.toBeInstanceOf(WeightsError);
  });

  it.each([
    ['past the end', 'K\x04', 'K\x01K\x04\x85K\x01\x85', 'outside its storage of 4 elements'],
    ['by its stride', 'K\x04', 'K\x00K\x02K\x02\x86K\x03K\x01\x86', 'outside its storage of 4 elements'],
    ['by a huge stride', 'K\x04', 'K\x00K\x02\x85\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85', 'in a way PyTorch does not'],
    ['by a negative stride', 'K\x04', 'K\x03K\x02\x85J\xff\xff\xff\xff\x85', 'in a way PyTorch does not'],
    ['by a negative offset', 'K\x04', 'J\xff\xff\xff\xffK\x02\x85K\x01\x85', 'in a way PyTorch does not'],
    ['with a storage larger than its bytes', 'K\x05', 'K\x00K\x05\x85K\x01\x85', "storage '0' should be 20 bytes but has 16 bytes"],
    ['with fewer strides than axes', 'K\x04', 'K\x00K\x02K\x02\x86K\x01\x85', 'in a way PyTorch does not'],
  ])('a tensor that lies outside its storage, %s', async (_, count, layout, message) => {
    await expect(load(tensor(count, layout))).rejects.toThrow(message);
  });

  it('a few bytes that would expand to terabytes', async () => {
    const million = 'J\x00\x00\x10\x00';
    const file = await load(tensor('K\x04', `K\x00${million}${million}\x86K\x00K\x00\x86`));
    await expect(file.read('w')).rejects.toThrow('repeats a storage of 4 elements');
  });
});

describe('hostile sizes end soon', () => {
  const soon = async (body: string): Promise<void> => {
    const start = performance.now();
    await expect(openWeights(bytesSource(zipOf({ 'a/data.pkl': pickled(body) }), 'x.pth'))).rejects.toBeInstanceOf(WeightsError);
    expect(performance.now() - start).toBeLessThan(5000);
  };

  it('lists of lists of lists, doubled forty times', () => soon(`]q\0${']h\0ah\0aq\0'.repeat(40)}0}X\x01\0\0\0ah\0s.`));
  it('a dict that holds itself under every wrapper', () => soon(`}q\0${['state_dict', 'model', 'net', 'module', 'ema']
    .map((key) => `X${String.fromCharCode(key.length)}\0\0\0${key}h\0s`).join('')}.`));
  it('one list made a dict again and again', () =>
    soon(`](${'X\x01\0\0\0aN\x86'.repeat(50_000)}eq\0${'ccollections\nOrderedDict\nh\0\x85R0'.repeat(50_000)}.`));
  it('two million empty dicts', () => soon(`(${'}'.repeat(2_000_000)}t.`));
  it('a million marks', () => soon('('.repeat(3_000_000)));
});

describe('damage', () => {
  it.each(['dtypes.pth', 'layouts-legacy.pt', 'checkpoint.pth', 'deflated.pt', 'old-parameter.pth', 'dtypes.safetensors'])(
    '%s cut anywhere gives a WeightsError', async (name) => {
      const whole = fixture(name);
      for (let size = 0; size < whole.length; size += size < 600 || whole.length - size < 600 ? 3 : 37) {
        const read = openWeights(bytesSource(whole.subarray(0, size), name)).then(readAll);
        await expect(read, `cut to ${size} bytes`).rejects.toBeInstanceOf(WeightsError);
      }
    });

  it.each(['dtypes.pth', 'layouts.pt', 'layouts-legacy.pt', 'checkpoint-legacy.pth', 'deflated.pt', 'old-parameter.pth', 'dtypes.safetensors'])(
    '%s with bytes changed gives tensors or a WeightsError, nothing else', (name) => expectOnlyWeightsErrors(name, 600));

  it('a legacy storage that claims more than the file has', async () => {
    const bytes = readFileSync(join(FOLDER, 'old-parameter.pth'));
    bytes.writeBigInt64LE(5n, bytes.length - 24);
    await expect(openWeights(bytesSource(bytes, 'x.pth'))).rejects.toThrow('has 5 elements where 4 are announced');
  });
});
