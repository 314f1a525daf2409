/** A pause, other work between steps, snapshots within an epoch, and devices that are lost on the way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DeviceLostError, fineTune, fineTuneWithRecovery, openGpu,
  type Classifier, type Features, type FeatureStore, type FineTuneOptions, type FineTuneResult, type Gpu, type ProgressEvent, type RecoveryOptions, type StateDict,
} from '../src/index';
import { parseCheckpoint } from '../src/transfer/checkpoint';
import { collection, differing, memoryStore, stripesClassifier } from './support/stripes';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

const SIZE = 24 * 24 * 3;
const HEAD: FineTuneOptions = { plan: 'head', epochs: 2, batchSize: 8, patience: 0, seed: 5 };
const LAYER4: FineTuneOptions = { ...HEAD, plan: 'layer4' };
const AUGMENTED: FineTuneOptions = { ...LAYER4, augment: { horizontalFlip: 0.5, randomResizedCrop: { scale: [0.6, 1], ratio: [0.8, 1.25] } }, labelSmoothing: 0.1 };
const FULL: FineTuneOptions = { ...HEAD, plan: 'full', optimizer: { name: 'sgd', lr: 0.02, momentum: 0.9 } };

/** Turns while features are computed: 36 images and 12, 8 at a time. */
const FEATURES = 7;

interface Trained {
  readonly state: StateDict;
  readonly result: FineTuneResult;
}

async function trained(options: FineTuneOptions, during: (model: Classifier) => FineTuneOptions = () => ({})): Promise<Trained> {
  const model = stripesClassifier(gpu);
  try {
    const result = await fineTune(model, collection(), { ...options, ...during(model) });
    return { state: await model.network.stateDict(), result };
  } finally {
    model.dispose();
  }
}

/** What a run tells of its course, without the clock. */
function course({ history, bestEpoch, ended, validation, features, images }: FineTuneResult): unknown {
  return { history: history.map(({ seconds, ...record }) => { void seconds; return record; }), bestEpoch, ended, validation, features, images };
}

function expectSame(a: Trained, b: Trained): void {
  expect(differing(a.state, b.state)).toEqual([]);
  expect(course(b.result)).toEqual(course(a.result));
}

describe('between steps', () => {
  it.each([
    // 36 images to train on and 12 to validate: five steps and two batches of validation an epoch, and features before.
    [HEAD, 2 * (5 + 2)], [LAYER4, 2 * (5 + 2)],
    // In parts of 3 a step has three, the last two; validation has four.
    [{ ...FULL, microBatch: 3 }, 2 * (4 * 3 + 2 + 4)],
  ])('a prediction is of the weights of that moment, and changes no bit: $plan, $microBatch', async (options, least) => {
    const plain = await trained(options);
    const seen = new Set<string>();
    let turns = 0;
    const busy = await trained(options, (model) => ({
      betweenSteps: async () => {
        turns++;
        seen.add((await model.predict(new Float32Array(SIZE).fill(0.5), 1)).join());
      },
    }));
    expectSame(plain, busy);
    expect(turns).toBeGreaterThanOrEqual(least);
    expect(seen.size).toBeGreaterThan(9);
  });

  it('a pause rests, counts for no epoch\'s time, and ends when the run is interrupted', async () => {
    const abort = new AbortController();
    let turns = 0;
    const events: ProgressEvent[] = [];
    const model = stripesClassifier(gpu);
    const result = await fineTune(model, collection(), {
      ...LAYER4,
      signal: abort.signal,
      onProgress: (event) => void events.push(event),
      betweenSteps: () => {
        turns++;
        if (turns === 2) return new Promise((resolve) => { setTimeout(resolve, 1000); });
        if (turns < 10) return undefined;
        setTimeout(() => abort.abort(), 50);
        return new Promise(() => undefined); // for ever
      },
    });
    expect(result).toMatchObject({ ended: 'interrupted', bestEpoch: 1 });
    expect(turns).toBe(10);
    expect(result.seconds).toBeGreaterThan(1);
    expect(result.history[0].seconds).toBeLessThan(result.seconds - 1);
    model.dispose();
  });

  it('an error ends the run with it', async () => {
    await expect(trained(HEAD, () => ({ betweenSteps: () => Promise.reject(new Error('enough')) }))).rejects.toThrow('enough');
  });
});

describe('snapshots within an epoch', () => {
  it.each([HEAD, AUGMENTED, FULL])('bring a run to the bits and losses of an unbroken one, wherever it was interrupted: $plan', async (options) => {
    const unbroken = await trained(options);
    const before = options.plan === 'head' ? FEATURES : 0;
    // In the middle of the first epoch; in its validation; in the middle of the second.
    for (const [stop, epoch, step] of [[3, 0, 2], [6, 0, 5], [10, 1, 2]]) {
      const checkpoint = memoryStore();
      const abort = new AbortController();
      let turns = 0;
      const betweenSteps = (): void => {
        if (++turns === stop + before) abort.abort();
      };
      const broken = await trained({ ...options, checkpoint, signal: abort.signal, betweenSteps });
      expect(broken.result).toMatchObject({ ended: 'interrupted', bestEpoch: epoch });
      const saved = await parseCheckpoint((await checkpoint.load()) as Uint8Array<ArrayBuffer>);
      expect([saved.epoch, saved.within?.step]).toEqual([epoch, step]);
      const events: ProgressEvent[] = [];
      const resumed = await trained({ ...options, checkpoint, resume: true, onProgress: (event) => void events.push(event) });
      expectSame(unbroken, resumed);
      expect(events).toContainEqual({ kind: 'resume', epoch, step });
    }
  });

  it('are taken as often as asked for, and leave no trace in the result', async () => {
    const checkpoint = memoryStore();
    const plain = await trained(FULL);
    expectSame(plain, await trained({ ...FULL, checkpoint, checkpointEvery: 0 }));
    expect(checkpoint.saves).toHaveLength(2 * 5); // the last step's is the epoch's
    await expect(trained({ ...FULL, checkpointEvery: -1 })).rejects.toThrow(/checkpointEvery must be a number of seconds/);
  });

  it('count images that cannot be read', async () => {
    const data = collection(16, collection().train.items.filter((_, i) => i % 3 === 0).map(({ name }) => name));
    const checkpoint = memoryStore();
    const run = async (extra: FineTuneOptions): Promise<Trained> => {
      const model = stripesClassifier(gpu);
      const result = await fineTune(model, data, { ...FULL, batchSize: 2, ...extra });
      const state = await model.network.stateDict();
      model.dispose();
      return { state, result };
    };
    const unbroken = await run({});
    const abort = new AbortController();
    let turns = 0;
    await run({ checkpoint, signal: abort.signal, betweenSteps: () => void (++turns === 5 && abort.abort()) });
    expectSame(unbroken, await run({ checkpoint, resume: true }));
  });
});

/** Trains on devices that are lost: before each of these turns; and where `lose` is called. */
async function lossy(
  options: RecoveryOptions,
  { turns: moments = [], onEvent }: { turns?: readonly number[]; onEvent?: (event: ProgressEvent, lose: () => void) => void },
): Promise<Trained & { readonly events: ProgressEvent[]; readonly opened: Classifier[]; readonly losses: number }> {
  const opened: Classifier[] = [];
  const events: ProgressEvent[] = [];
  const told: Classifier[] = [];
  let turns = 0;
  const lose = (): void => opened.at(-1)?.gpu.device.destroy();
  const open = async (): Promise<Classifier> => {
    opened.push(stripesClassifier(await openGpu()));
    return opened.at(-1) as Classifier;
  };
  const { classifier, result, losses } = await fineTuneWithRecovery(open, collection(), {
    ...options,
    onClassifier: (one) => void told.push(one),
    betweenSteps: () => void (moments.includes(++turns) && lose()),
    onProgress: (event) => {
      events.push(event);
      onEvent?.(event, lose);
    },
  });
  expect(told).toEqual(opened);
  expect(classifier).toBe(opened.at(-1));
  const state = await classifier.network.stateDict();
  classifier.gpu.destroy();
  return { state, result, events, opened, losses };
}

/** Loses the device at the first event that is so. */
function once(so: (event: ProgressEvent) => boolean): (event: ProgressEvent, lose: () => void) => void {
  let done = false;
  return (event, lose) => {
    if (done || !so(event)) return;
    done = true;
    lose();
  };
}

const notesOf = (events: readonly ProgressEvent[]): string[] => events.flatMap((event) => (event.kind === 'note' ? [event.message] : []));

describe('a lost device', () => {
  it.each([HEAD, AUGMENTED, FULL])('costs nothing of the result, whenever it goes: $plan', async (options) => {
    const unbroken = await trained(options);
    const before = options.plan === 'head' ? FEATURES : 0;
    const cases: [string, Parameters<typeof lossy>[1], RecoveryOptions, RegExp][] = [
      ['in the first epoch, before any snapshot', { turns: [before + 3] }, {}, /going on from the start, on /],
      ['in an epoch, after snapshots in it', { turns: [before + 5] }, { checkpointEvery: 0 }, /going on after 4 steps of epoch 1, on /],
      ['in validation', { turns: [before + 7] }, {}, /going on from the start, on /],
      ['after an epoch, before its snapshot', { onEvent: once((event) => event.kind === 'epoch') }, { checkpointEvery: 0 }, /going on after 4 steps of epoch 1, on /],
      ['in the second epoch, with a store', { turns: [before + 10] }, { checkpoint: memoryStore() }, /going on after epoch 1, on /],
      ['in the last validation', { turns: [before + 14] }, {}, /going on after epoch 1, on /],
    ];
    // All layers go the ways of layer4: of what is slow, one case with a store and one without.
    for (const [what, when, extra, note] of options === FULL ? [cases[1], cases[4]] : cases) {
      const recovered = await lossy({ ...options, ...extra }, when);
      expectSame(unbroken, recovered);
      expect(recovered.losses, what).toBe(1);
      expect(notesOf(recovered.events), what).toEqual([expect.stringMatching(/^The GPU device was lost \(destroyed\): .*; going on /)]);
      expect(notesOf(recovered.events)[0], what).toMatch(note);
    }
  });

  it('while features are computed costs none of them', async () => {
    const unbroken = await trained(HEAD);
    const recovered = await lossy(HEAD, { turns: [3] });
    expectSame(unbroken, recovered);
    const done = recovered.events.flatMap((event) => (event.kind === 'features' ? [`${event.done} (${event.cached})`] : []));
    expect(done).toEqual(['0 (0)', '8 (0)', '16 (0)', '16 (0)', '24 (0)', '32 (0)', '36 (0)', '44 (0)', '48 (0)']);
    expect(notesOf(recovered.events)[0]).toMatch(/going on with the features of 16 images, on /);
  });

  it('costs only the last seconds of features where it takes everything with it', async () => {
    const unbroken = await trained(HEAD);
    const kept = new Map<string, Features>();
    const features = (most = Infinity): FeatureStore => ({
      load: (fingerprint) => Promise.resolve(new Map(kept.get(fingerprint))),
      add: (fingerprint, more) => {
        if ((kept.get(fingerprint)?.size ?? 0) >= most) return Promise.reject(new Error('the tab was closed'));
        kept.set(fingerprint, new Map([...(kept.get(fingerprint) ?? []), ...more]));
        return Promise.resolve();
      },
    });
    await expect(trained({ ...HEAD, features: features(16), checkpointEvery: 0 })).rejects.toThrow('the tab was closed');
    const [{ size: reused }] = kept.values();
    const again = await trained({ ...HEAD, features: features(), checkpointEvery: 0 });
    expect(reused).toBeGreaterThanOrEqual(16);
    expect(reused).toBeLessThan(48);
    expect(again.result.features).toEqual({ computed: 48 - reused, reused });
    expectSame(unbroken, { ...again, result: { ...again.result, features: unbroken.result.features } });
  });

  it('and another, and another, are made good as long as there is progress between', async () => {
    const unbroken = await trained(FULL);
    const recovered = await lossy({ ...FULL, checkpointEvery: 0, maxLosses: 1 }, { turns: [3, 5, 8, 12] });
    expectSame(unbroken, recovered);
    expect(recovered.losses).toBe(4);
    expect(recovered.opened).toHaveLength(5);
    expect(recovered.result.seconds).toBeGreaterThan(recovered.result.history.reduce((sum, { seconds }) => sum + seconds, 0));
  });

  it('is the end where there is none', async () => {
    await expect(lossy({ ...FULL, maxLosses: 2 }, { turns: [1, 2, 3] })).rejects.toThrow(DeviceLostError);
    await expect(lossy({ ...FULL, maxLosses: 0 }, { turns: [1] })).rejects.toThrow(DeviceLostError);
    await expect(fineTuneWithRecovery(() => Promise.reject(new Error('never')), collection(), { maxLosses: -1 })).rejects.toThrow(/maxLosses must be a whole number/);
  });

  it('is waited for: a new one may take a moment', async () => {
    const unbroken = await trained(LAYER4);
    let calls = 0;
    let lost = false;
    let first: Classifier | undefined;
    const { classifier, result } = await fineTuneWithRecovery(async () => {
      calls++;
      if (calls === 2 || calls === 3) return stripesClassifier(await openGpu({ prefer: 'hardware' })); // there is none here
      return stripesClassifier(await openGpu());
    }, collection(), {
      ...LAYER4,
      onProgress: (event) => {
        if (event.kind !== 'epoch' || lost) return;
        lost = true;
        first?.gpu.device.destroy();
      },
      onClassifier: (one) => void (first ??= one),
    });
    expect(calls).toBe(gpu.adapter.software ? 4 : 2);
    expectSame(unbroken, { state: await classifier.network.stateDict(), result });
    classifier.gpu.destroy();
  });

  it('that the caller destroyed is no loss', async () => {
    const own = stripesClassifier(await openGpu());
    let opened = 0;
    const run = fineTuneWithRecovery(() => Promise.resolve((opened++, own)), collection(), { ...LAYER4, onProgress: (event) => void (event.kind === 'step' && own.gpu.destroy()) });
    await expect(run).rejects.toThrow(/the Gpu was destroyed/);
    expect(opened).toBe(1);
  });

  it.each([
    ['another', async () => stripesClassifier(await openGpu(), 4), /not what training began with/],
    ['on the same device', (own: Classifier) => Promise.resolve(own), /gave a classifier on the device that was lost/],
  ] as const)('is an error where the model that is opened next is %s', async (_, next, message) => {
    const own = stripesClassifier(await openGpu());
    let opened = 0;
    const run = fineTuneWithRecovery(() => (opened++ === 0 ? Promise.resolve(own) : next(own)), collection(), {
      ...LAYER4, onProgress: (event) => void (event.kind === 'step' && own.gpu.device.destroy()),
    });
    await expect(run).rejects.toThrow(message);
  });

  it('is not looked for in a store that holds another run', async () => {
    const checkpoint = memoryStore();
    await trained({ ...LAYER4, epochs: 1, checkpoint });
    const stale = checkpoint.saves.length;
    const silent = { load: checkpoint.load, save: () => Promise.resolve() }; // a full disk, told but not thrown
    const unbroken = await trained(LAYER4);
    expectSame(unbroken, await lossy({ ...LAYER4, checkpoint: silent }, { turns: [10] }));
    expect(checkpoint.saves).toHaveLength(stale);
  });

  it('ends the wait for a new one when the run is interrupted', async () => {
    const abort = new AbortController();
    const own = stripesClassifier(await openGpu());
    let opened = 0;
    const open = (): Promise<Classifier> => {
      if (opened++ === 0) return Promise.resolve(own);
      setTimeout(() => abort.abort(), 100);
      return Promise.reject(new DeviceLostError('gone'));
    };
    const began = performance.now();
    await expect(fineTuneWithRecovery(open, collection(), { ...LAYER4, signal: abort.signal, onProgress: (event) => void (event.kind === 'step' && own.gpu.device.destroy()) })).rejects.toThrow(DeviceLostError);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
