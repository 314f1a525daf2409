/** Features, checkpoints and models on disk: whole or not there, and no reason for a run to end. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GraftError, StateDictError, UsageError, WeightsError } from '../src/errors';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { load } from '../src/node/load';
import { folderKind, loadModelDir, readModelCard, saveModel } from '../src/node/modelDir';
import { diskCheckpointStore, diskFeatureStore } from '../src/node/stores';
import { Classifier, randomClassifier } from '../src/transfer/classifier';
import { serializeSafetensors } from '../src/weights/safetensors';

let base = '';
let folders = 0;
const fresh = (): string => join(base, `folder ${folders++}`);
beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'graft-stores-'));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const features = (...rows: number[][]): Map<string, Float32Array> => new Map(rows.map((row, i) => [`${row[0]}${i}`.padStart(64, 'a'), Float32Array.from(row)]));

describe('diskFeatureStore', () => {
  it('gives back every bit of what was added, by fingerprint, over several runs', async () => {
    const dir = fresh();
    const first = features([1.1, -2.2], [NaN, 1e-40]);
    const second = features([7, 8]);
    await diskFeatureStore(dir).add('one', first);
    await diskFeatureStore(dir).add('one', second);
    await diskFeatureStore(dir).add('two', features([5]));
    expect(await diskFeatureStore(dir).load('one')).toEqual(new Map([...first, ...second]));
    expect(await diskFeatureStore(dir).load('three')).toEqual(new Map());
    expect(readdirSync(join(dir, 'one'))).toHaveLength(2);
  });

  it('leaves a damaged file out, tells it, removes it, and keeps the others', async () => {
    const dir = fresh();
    await diskFeatureStore(dir).add('f', features([1, 2]));
    const [good] = readdirSync(join(dir, 'f'));
    await diskFeatureStore(dir).add('f', features([3, 4, 5]));
    const bad = readdirSync(join(dir, 'f')).find((name) => name !== good) ?? '';
    const bytes = readFileSync(join(dir, 'f', bad));
    bytes[bytes.length - 1] ^= 1; // one bit of one value
    writeFileSync(join(dir, 'f', bad), bytes);
    writeFileSync(join(dir, 'f', 'short.safetensors'), bytes.subarray(0, 20));
    writeFileSync(join(dir, 'f', 'empty.safetensors'), '');
    writeFileSync(join(dir, 'f', '.x.tmp'), 'a write that was killed');
    const notes: string[] = [];
    const found = await diskFeatureStore(dir, { onNote: (note) => notes.push(note) }).load('f');
    expect([...found.values()]).toEqual([Float32Array.of(1, 2)]);
    expect(notes).toHaveLength(3);
    expect(notes.every((note) => /damaged; they are computed again/.test(note))).toBe(true);
    expect(readdirSync(join(dir, 'f')).sort()).toEqual(['.x.tmp', good].sort());
  });

  it('lets a run go on where it cannot write', async () => {
    const file = fresh();
    writeFileSync(file, '');
    const notes: string[] = [];
    const store = diskFeatureStore(join(file, 'below a file'), { onNote: (note) => notes.push(note) });
    expect(await store.load('f')).toEqual(new Map());
    await store.add('f', features([1]));
    expect(notes.at(-1)).toMatch(/^features are not kept for the next run: cannot make folder .*a file, not a folder/);
    await diskFeatureStore('/proc/nowhere').add('f', features([1])); // and without a listener
  });

  it('takes no path for a fingerprint', async () => {
    await expect(diskFeatureStore(fresh()).load('../../etc')).rejects.toThrow(UsageError);
  });
});

describe('diskCheckpointStore', () => {
  it('replaces the file whole, and is empty at first', async () => {
    const file = join(base, 'checkpoint.safetensors');
    const store = diskCheckpointStore(file);
    expect(await store.load()).toBeUndefined();
    await store.save(Uint8Array.of(1, 2, 3));
    await store.save(Uint8Array.of(4));
    expect(await store.load()).toEqual(Uint8Array.of(4));
    expect(readdirSync(base).filter((name) => name.includes('checkpoint'))).toEqual(['checkpoint.safetensors']);
  });

  it('throws where it cannot write, or with a listener tells it once', async () => {
    const file = '/proc/nowhere/checkpoint.safetensors';
    await expect(diskCheckpointStore(file).save(Uint8Array.of(1))).rejects.toThrow(GraftError);
    const notes: string[] = [];
    const store = diskCheckpointStore(file, { onNote: (note) => notes.push(note) });
    await store.save(Uint8Array.of(1));
    await store.save(Uint8Array.of(2));
    expect(notes).toEqual([expect.stringMatching(/^the run cannot be resumed from here on: cannot write \/proc/)]);
  });
});

describe('models on disk', () => {
  let gpu: Gpu;
  const opened: Classifier[] = [];
  const keep = (classifier: Classifier): Classifier => {
    opened.push(classifier);
    return classifier;
  };
  const preprocessing = { resizeSize: 32, cropSize: 32, interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
  const tiny = (classes = ['Ω', 'b c'], seed = 0): Classifier => keep(randomClassifier(gpu, 'resnet18', classes, { width: 8, preprocessing, seed }));
  beforeAll(async () => {
    gpu = await openGpu();
  });
  afterEach(() => {
    for (const classifier of opened.splice(0)) classifier.dispose();
  });
  afterAll(() => gpu.destroy());

  it('come back with the same bits, classes and preprocessing', async () => {
    const dir = fresh();
    const model = tiny();
    await saveModel(model, dir, { training: { epochs: 3 } });
    const back = keep(await load(dir, { gpu }));
    expect(await back.network.stateDict()).toEqual(await model.network.stateDict());
    expect([back.classes, back.preprocessing, back.network.width, back.base]).toEqual([['Ω', 'b c'], preprocessing, 8, dir.split('/').at(-1)]);
    expect((await readModelCard(dir)).training).toEqual({ epochs: 3 });
    const input = new Float32Array(32 * 32 * 3).fill(0.3);
    expect(await back.predict(input, 1)).toEqual(await model.predict(input, 1));
  });

  it('can be loaded untrained, or for other classes', async () => {
    const dir = fresh();
    await saveModel(tiny(), dir);
    const scratch = keep(await load(dir, { gpu, weights: null, classes: ['x', 'y', 'z'], seed: 5 }));
    expect([scratch.classes, scratch.network.width, scratch.base, scratch.preprocessing]).toEqual([['x', 'y', 'z'], 8, null, preprocessing]);
    const same = keep(randomClassifier(gpu, 'resnet18', ['x', 'y', 'z'], { width: 8, preprocessing, seed: 5 }));
    const conv = async (model: Classifier): Promise<unknown> => (await model.network.stateDict()).get('layer1.0.conv1.weight');
    expect(await conv(scratch)).toEqual(await conv(same));
    const other = keep(await load(dir, { gpu, classes: ['x', 'y', 'z'] }));
    expect(other.network.numClasses).toBe(3);
    await expect(load(dir, { gpu, weights: 'x.pth' })).rejects.toThrow('brings its weights');
  });

  it('replace an earlier model, and nothing else', async () => {
    const dir = fresh();
    expect(await folderKind(dir)).toBe('absent');
    await saveModel(tiny(), dir);
    expect(await folderKind(dir)).toBe('model');
    await saveModel(tiny(['p', 'q', 'r']), dir);
    expect(keep(await load(dir, { gpu })).classes).toEqual(['p', 'q', 'r']);

    const taken = fresh();
    mkdirSync(taken);
    expect(await folderKind(taken)).toBe('empty');
    writeFileSync(join(taken, 'thesis.txt'), 'years of work');
    await expect(saveModel(tiny(), taken)).rejects.toThrow('is not empty and holds no model');
    await saveModel(tiny(), taken, { force: true });
    expect(readFileSync(join(taken, 'thesis.txt'), 'utf8')).toBe('years of work');

    const foreign = fresh();
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'model.json'), '{"format":"somebody else\'s"}');
    await expect(saveModel(tiny(), foreign)).rejects.toThrow(UsageError);
    await expect(folderKind(join(foreign, 'model.json'))).rejects.toThrow('it is a file');
    await expect(saveModel(tiny(), '/proc/model')).rejects.toThrow(GraftError);
  });

  it('say in a line what is wrong with them', async () => {
    const dir = fresh();
    await saveModel(tiny(), dir);
    const weights = join(dir, 'model.safetensors');
    const card = readFileSync(join(dir, 'model.json'), 'utf8');
    const bytes = readFileSync(weights);
    const restore = (): void => {
      writeFileSync(join(dir, 'model.json'), card);
      writeFileSync(weights, bytes);
    };
    truncateSync(weights, 5000);
    await expect(load(dir, { gpu })).rejects.toThrow(/model\.safetensors: .*(truncated|damaged)/);
    writeFileSync(weights, '');
    await expect(load(dir, { gpu })).rejects.toThrow('is empty (0 bytes)');
    rmSync(weights);
    await expect(load(dir, { gpu })).rejects.toThrow('there is no such file');
    restore();
    writeFileSync(join(dir, 'model.json'), '{"format": "graft-mod');
    await expect(load(dir, { gpu })).rejects.toThrow('is not JSON');
    writeFileSync(join(dir, 'model.json'), card.replace('"b c"', '"b c", "extra"'));
    await expect(load(dir, { gpu })).rejects.toThrow(/2 outputs, but model.json beside it names 3 classes/);
    writeFileSync(join(dir, 'model.json'), card.replace('resnet18', 'resnet50'));
    await expect(load(dir, { gpu })).rejects.toThrow('holds a resnet18, not a resnet50');
    rmSync(join(dir, 'model.json'));
    await expect(load(dir, { gpu })).rejects.toThrow('there is no model.json in it');
    await expect(loadModelDir(gpu, join(dir, 'nowhere'))).rejects.toThrow(WeightsError);
  });

  it('load from weights files, whose shapes decide, and refuse NaN and the wrong network', async () => {
    const state = await tiny().network.stateDict();
    const file = join(base, 'plain.safetensors');
    writeFileSync(file, serializeSafetensors(state));
    const found = keep(await load(file, { gpu }));
    expect([found.network.architecture, found.network.width, found.classes, found.base]).toEqual(['resnet18', 8, ['class 0', 'class 1'], 'plain.safetensors']);
    expect(keep(await load('resnet18', { gpu, weights: file })).network.width).toBe(8);
    await expect(load('resnet34', { gpu, weights: file })).rejects.toThrow('holds a resnet18, not a resnet34');
    await expect(load(file, { gpu, weights: 'random' })).rejects.toThrow('is a weights file itself');

    const bad = new Map(state);
    bad.set('bn1.weight', { dtype: 'F32', shape: [8], data: new Float32Array(8).fill(NaN) });
    writeFileSync(join(base, 'nan.safetensors'), serializeSafetensors(bad));
    await expect(load(join(base, 'nan.safetensors'), { gpu })).rejects.toThrow('hold NaN or infinite values (bn1.weight)');

    const partial = new Map(state);
    partial.delete('layer2.0.bn1.bias');
    writeFileSync(join(base, 'partial.safetensors'), serializeSafetensors(partial));
    await expect(load(join(base, 'partial.safetensors'), { gpu })).rejects.toThrow(StateDictError);
    await expect(load(join(base, 'partial.safetensors'), { gpu })).rejects.toThrow(/partial\.safetensors: .*missing layer2\.0\.bn1\.bias/);

    // A name of published weights on a file of other contents brings none of their classes.
    const named = join(base, 'resnet18-f37072fd.pth');
    writeFileSync(named, readFileSync('test/fixtures-weights/checkpoint.pth'));
    await expect(load(named, { gpu })).rejects.toThrow("it has no 'conv1.weight'");
  });

  it('are asked for by name, and the nearest name is suggested without a GPU', async () => {
    const none = (): Promise<Gpu> => Promise.reject(new Error('no GPU was needed'));
    await expect(load('resnet81', { gpu: none })).rejects.toThrow("Did you mean 'resnet18'?");
    await expect(load('photos/model.pth', { gpu: none })).rejects.toThrow("there is no file or folder 'photos/model.pth'");
    await expect(load('resnet18', { gpu: none, weights: 'resnet18-f37072fe' })).rejects.toThrow("Did you mean 'resnet18-f37072fd'?");
    await expect(load('resnet50', { gpu: none, weights: 'resnet18' })).rejects.toThrow('are of a resnet18, not of a resnet50');
    await expect(load(fresh(), { gpu: none })).rejects.toThrow('there is no file or folder');
    await expect(load('resnet18', { gpu: none, weights: join(base, 'gone.pth') })).rejects.toThrow('there is no such file');
    await expect(load('resnet18', { gpu: none, weights: null })).rejects.toThrow('no GPU was needed');
    await expect(load('resnet18', { gpu: none, fetch: { cacheDir: fresh(), baseUrl: 'http://127.0.0.1:9' } })).rejects.toThrow(/cannot download .* put it at .*resnet18-f37072fd\.pth/);
  });
});

describe('folders that may not be read', () => {
  it.skipIf(process.getuid?.() === 0 || process.platform === 'win32')('say so', async () => {
    const dir = fresh();
    mkdirSync(dir);
    chmodSync(dir, 0);
    await expect(folderKind(dir)).rejects.toThrow('permission is denied');
  });
});
