/** Fine-tuning on small images made here: what is frozen, kept, cached, resumed and stopped. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  evaluate, fineTune, openGpu, randomClassifier,
  type Classifier, type FeatureStore, type FineTuneOptions, type Gpu, type ProgressEvent, type StateDict,
} from '../src/index';
import { CLASSES, collection, differing, memoryStore, preprocessing, stripesClassifier } from './support/stripes';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

function classifier(seed = 3): Classifier {
  return stripesClassifier(gpu, seed);
}

async function trained(options: FineTuneOptions, data = collection()): Promise<StateDict> {
  const model = classifier();
  try {
    await fineTune(model, data, options);
    return await model.network.stateDict();
  } finally {
    model.dispose();
  }
}

const FULL: FineTuneOptions = { plan: 'full', epochs: 3, batchSize: 8, patience: 0, seed: 5 };

describe('what is trained', () => {
  it.each([
    ['head', (name: string) => name.startsWith('fc.')],
    ['layer4', (name: string) => /^(layer4|fc)\./.test(name)],
    ['layer3.1', (name: string) => /^(layer3\.1|layer4|fc)\./.test(name)],
  ])('plan %s leaves everything else bit for bit', async (plan, isTrained) => {
    const model = classifier();
    const before = await model.network.stateDict();
    const { trained: names, parameters, ended } = await fineTune(model, collection(), { plan, epochs: 2, batchSize: 8 });
    const after = await model.network.stateDict();
    const changed = differing(before, after);
    expect(ended).toBe('finished');
    expect(changed.filter((name) => !isTrained(name))).toEqual([]);
    expect(changed.length).toBeGreaterThan(0);
    expect(names.every(isTrained)).toBe(true);
    expect(parameters.trainable.tensors).toBe(names.length);
    model.dispose();
  });

  it('bn update moves statistics of trained parts only', async () => {
    const model = classifier();
    const before = await model.network.stateDict();
    const { batchNorm } = await fineTune(model, collection(), { plan: 'layer4', bn: 'update', epochs: 1, batchSize: 8 });
    const changed = differing(before, await model.network.stateDict());
    expect(changed).toContain('layer4.1.bn2.running_mean');
    expect(changed.filter((name) => !/^(layer4|fc)\./.test(name))).toEqual([]);
    expect(batchNorm).toEqual({ held: 15, total: 20 });
    model.dispose();
  });

  it('learns', async () => {
    const model = classifier();
    const data = collection(32);
    const result = await fineTune(model, data, { plan: 'full', epochs: 8, batchSize: 8, optimizer: { name: 'adamw', lr: 3e-3 } });
    expect(result.validation?.accuracy).toBeGreaterThan(0.8);
    expect(result.history.length).toBe(8);
    const again = await evaluate(model, data.validation);
    expect(again.accuracy).toBe(result.validation?.accuracy);
    expect(again.confusion.flat().reduce((a, b) => a + b, 0)).toBe(again.count);
    model.dispose();
  });

  it('gives a new head when the classes differ, and keeps it when they do not', async () => {
    const model = randomClassifier(gpu, 'resnet18', ['a', 'b', 'c', 'd', 'e'], { width: 4, preprocessing });
    await fineTune(model, collection(), { epochs: 1 });
    expect(model.network.numClasses).toBe(3);
    expect(model.classes).toEqual(CLASSES);
    const weight = model.network.fc.weight;
    await fineTune(model, collection(), { epochs: 1 });
    expect(model.network.fc.weight).toBe(weight);
    model.dispose();
  });
});

describe('features of a frozen trunk', () => {
  it('train the same head as images do', async () => {
    const options: FineTuneOptions = { plan: 'head', epochs: 3, batchSize: 8, seed: 1 };
    const cached = await trained(options);
    // A flip that never happens: the same images, but augmentation keeps the cache away.
    const uncached = await trained({ ...options, augment: { horizontalFlip: 0 } });
    const [a, b] = [cached, uncached].map((state) => state.get('fc.weight')?.data as Float32Array);
    a.forEach((value, i) => expect(value).toBeCloseTo(b[i], 5));
  });

  it('are reused by the next run, unless a frozen weight has changed', async () => {
    const kept = new Map<string, Map<string, Float32Array>>();
    const features: FeatureStore = {
      load: (fingerprint) => Promise.resolve(kept.get(fingerprint) ?? new Map()),
      add: (fingerprint, more) => Promise.resolve(void kept.set(fingerprint, new Map([...(kept.get(fingerprint) ?? []), ...more]))),
    };
    const model = classifier();
    const first = await fineTune(model, collection(), { epochs: 1, features });
    const second = await fineTune(model, collection(), { epochs: 1, features });
    expect(first.features).toEqual({ computed: 48, reused: 0 });
    expect(second.features).toEqual({ computed: 0, reused: 48 });
    const other = classifier(4);
    const third = await fineTune(other, collection(), { epochs: 1, features });
    expect(third.features).toEqual({ computed: 48, reused: 0 });
    model.dispose();
    other.dispose();
  });
});

describe('repeatability', () => {
  it('the same seed gives the same bits, another seed others', async () => {
    const [a, b, c] = [await trained(FULL), await trained(FULL), await trained({ ...FULL, seed: 6 })];
    expect(differing(a, b)).toEqual([]);
    expect(differing(a, c).length).toBeGreaterThan(0);
  });

  it.each(['sgd', 'adamw'] as const)('a run resumed from a checkpoint ends with the bits of an unbroken one (%s)', async (name) => {
    const options: FineTuneOptions = { ...FULL, optimizer: name === 'sgd' ? { name, lr: 0.01, momentum: 0.9 } : { name, lr: 1e-3 } };
    const unbroken = await trained(options);
    const checkpoint = memoryStore();
    const abort = new AbortController();
    const first = classifier();
    const stopped = await fineTune(first, collection(), {
      ...options,
      checkpoint,
      signal: abort.signal,
      onProgress: (event: ProgressEvent) => event.kind === 'epoch' && event.record.epoch === 2 && abort.abort(),
    });
    expect(stopped.ended).toBe('interrupted');
    expect(stopped.history.length).toBe(2);
    const second = classifier();
    const resumed = await fineTune(second, collection(), { ...options, checkpoint, resume: true });
    expect(resumed.history.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(differing(unbroken, await second.network.stateDict())).toEqual([]);
    first.dispose();
    second.dispose();
  });

  it('refuses to resume under other options or images', async () => {
    const checkpoint = memoryStore();
    await trained({ ...FULL, epochs: 1, checkpoint });
    await expect(trained({ ...FULL, epochs: 2, checkpoint, resume: true })).rejects.toThrow(/made with epochs 1, this run has 2/);
    await expect(trained({ ...FULL, epochs: 1, checkpoint, resume: true }, collection(15))).rejects.toThrow(/not those the checkpoint was made with/);
  });
});

describe('endings', () => {
  it('a loss that is not finite stops training, names the step and keeps the best weights', async () => {
    const model = classifier();
    const before = await model.network.stateDict();
    const result = await fineTune(model, collection(), { ...FULL, bn: 'hold', optimizer: { name: 'sgd', lr: 1e30 } });
    expect(result.ended).toBe('diverged');
    expect(result.reason).toMatch(/loss became (NaN|Infinity) at step \d+; try a learning rate/);
    const after = await model.network.stateDict();
    expect(differing(before, after)).toEqual([]);
    model.dispose();
  });

  it('stops early when nothing gets better, and keeps the best epoch', async () => {
    const model = classifier();
    const result = await fineTune(model, collection(), { plan: 'head', epochs: 50, patience: 2, optimizer: { name: 'sgd', lr: 1e-12 } });
    expect(result.ended).toBe('early');
    expect(result.history.length).toBe(result.bestEpoch + 2);
    model.dispose();
  });

  it('skips an image that breaks on the way, and says so', async () => {
    const events: ProgressEvent[] = [];
    const model = classifier();
    const result = await fineTune(model, collection(16, ['plain/3.png']), { ...FULL, epochs: 1, onProgress: (event) => events.push(event) });
    expect(result.ended).toBe('finished');
    expect(events).toContainEqual({ kind: 'skip', path: 'plain/3.png', reason: 'it ends in the middle' });
    model.dispose();
  });

  it('an abort before the first step changes nothing', async () => {
    const model = classifier();
    const before = await model.network.stateDict();
    const result = await fineTune(model, collection(), { ...FULL, signal: AbortSignal.abort() });
    expect([result.ended, result.bestEpoch]).toEqual(['interrupted', 0]);
    expect(differing(before, await model.network.stateDict())).toEqual([]);
    model.dispose();
  });

  it.each([
    [{ plan: 'laier4' }, /no plan or layer is called 'laier4'. Did you mean 'layer4'/],
    [{ epochs: 0 }, /epochs must be a whole number of at least 1, got 0/],
    [{ schedule: 'cosin' as 'cosine' }, /Did you mean 'cosine'/],
    [{ optimizer: { name: 'adam' as 'adamw' } }, /Did you mean 'adamw'/],
    [{ labelSmoothing: 1 }, /labelSmoothing must be at least 0 and below 1, got 1/],
  ])('refuses %j', async (options, message) => {
    const model = classifier();
    await expect(fineTune(model, collection(), options)).rejects.toThrow(message);
    model.dispose();
  });
});

it('gives all memory back, run after run', async () => {
  await trained(FULL);
  const before = gpu.memory().liveBytes;
  for (let i = 0; i < 3; i++) await trained({ ...FULL, epochs: 1 });
  expect(gpu.memory().liveBytes).toBe(before);
});
