/** Features that the studio keeps: as they come, in few files, with a bound; and a run that is broken off goes on from them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FeatureSets } from '../app/worker/project/featureSets';
import { memoryDisk, type Disk } from '../app/worker/storage/disk';
import { Keeping } from '../app/worker/storage/keeping';
import { Writer } from '../app/worker/storage/writer';
import { fineTune, openGpu, type FineTuneOptions, type FineTuneResult, type Gpu, type ProgressEvent, type StateDict } from '../src/index';
import { collection, differing, stripesClassifier } from './support/stripes';

const id = (n: number): string => n.toString(16).padStart(64, '0');
const [ONE, TWO] = [id(0xa1), id(0xa2)];
const rows = (from: number, to: number): Map<string, Float32Array> => new Map(Array.from({ length: to - from }, (_, i) => [id(from + i), Float32Array.of(from + i, 0.5)]));

function sets(disk: Disk, has: (id: string) => boolean = () => true): FeatureSets {
  return new FeatureSets({ disk, folder: 'features', writer: new Writer(disk, new Keeping(disk, () => undefined), () => false), has });
}

describe('sets of features', () => {
  it('are there in the next session, however they came', async () => {
    const disk = memoryDisk();
    const store = sets(disk).store();
    for (let i = 0; i < 40; i++) await store.add(ONE, rows(i, i + 1));
    await store.add(TWO, rows(7, 9));
    expect(await sets(disk).store().load(ONE)).toEqual(rows(0, 40));
    expect(await sets(disk).store().load(TWO)).toEqual(rows(7, 9));
    expect((await disk.list('features')).length).toBeLessThan(8);
  });

  it('are of a base, if they are named so', async () => {
    const disk = memoryDisk();
    const pictures = [...rows(0, 20).keys()];
    await sets(disk).store().load(ONE);
    const store = sets(disk).store({ of: 'base' });
    await store.load(ONE);
    await store.add(ONE, rows(0, 12));
    const next = sets(disk);
    expect(await next.known('base', pictures)).toBe(12);
    expect(await next.known('another', pictures)).toBe(0);
    await next.store({ of: 'base' }).load(TWO); // another file of that name
    expect(await next.known('base', pictures)).toBe(0);
    await next.store({ of: 'base' }).load(ONE);
    await next.forgetNames();
    expect(await next.known('base', pictures)).toBe(0);
    expect((await next.store().load(ONE)).size).toBe(12);
  });

  it('forget pictures that are gone, and what is damaged', async () => {
    const disk = memoryDisk();
    await sets(disk).store().add(ONE, rows(0, 10));
    await sets(disk).store().add(TWO, rows(0, 3));
    await disk.write(`features/${ONE}.9`, 'damaged');
    await disk.write('features/left.part', 'by a crash');
    expect(await sets(disk, (one) => one >= id(4)).store().load(ONE)).toEqual(rows(4, 10));
    expect(await sets(disk).store().load(ONE)).toEqual(rows(4, 10));
    expect(await disk.list('features')).toEqual([`${ONE}.1`]);
  });

  it('are at most three: the latest, and two others', async () => {
    const disk = memoryDisk();
    for (const one of [1, 2, 3, 4, 5]) await sets(disk).store().add(id(one), rows(0, 2));
    expect((await disk.list('features')).length).toBe(3);
    expect((await sets(disk).store().load(id(5))).size).toBe(2);
  });

  it('wait in memory for a disk that refuses', async () => {
    const disk = memoryDisk();
    let full = true;
    const refusing: Disk = { ...disk, write: (path, contents) => (full ? Promise.reject(new DOMException('full', 'QuotaExceededError')) : disk.write(path, contents)) };
    const keeping = new Keeping(refusing, () => undefined);
    const make = (): FeatureSets => new FeatureSets({ disk: refusing, folder: 'features', writer: new Writer(refusing, keeping, () => false), has: () => true });
    const waiting = make();
    let kept = 0;
    const store = waiting.store({ onKept: () => { kept++; return Promise.resolve(); } });
    await store.add(ONE, rows(0, 2));
    expect([(await store.load(ONE)).size, kept, (await make().store().load(ONE)).size]).toEqual([2, 0, 0]);
    full = false;
    const again = make().store();
    await again.add(ONE, rows(0, 3));
    expect((await make().store().load(ONE)).size).toBe(3);
  });
});

describe('a run whose features were not all computed', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu();
  });
  afterAll(() => gpu.destroy());

  async function train(options: FineTuneOptions): Promise<{ state: StateDict; result: FineTuneResult }> {
    const model = stripesClassifier(gpu);
    const result = await fineTune(model, collection(), { plan: 'head', epochs: 2, batchSize: 8, patience: 0, seed: 5, ...options });
    const state = await model.network.stateDict();
    model.dispose();
    return { state, result };
  }

  it('goes on from those that were, to the same bits: stopped, or closed in a pause', async () => {
    const unbroken = await train({});
    const stopped = memoryDisk();
    const abort = new AbortController();
    const stopAt = (event: ProgressEvent): void => {
      if (event.kind === 'features' && event.done === 24) abort.abort();
    };
    expect((await train({ features: sets(stopped).store(), signal: abort.signal, onProgress: stopAt })).result.ended).toBe('interrupted');

    const closed = memoryDisk();
    let turns = 0;
    const close = new AbortController();
    let paused: Promise<unknown> = Promise.resolve();
    const kept = new Promise<void>((resolve) => {
      paused = train({
        features: sets(closed).store({ onKept: () => Promise.resolve(resolve()) }), checkpointEvery: 0.1, signal: close.signal,
        betweenSteps: () => (++turns === 4 ? new Promise(() => undefined) : undefined), // a pause that nobody ends
      });
    });
    await kept;
    for (const disk of [stopped, closed]) {
      const there = (await sets(disk).store().load((await disk.list('features'))[0].split('.')[0])).size;
      expect(there).toBeGreaterThan(0);
      expect(there).toBeLessThan(48);
      const { state, result } = await train({ features: sets(disk).store() });
      expect(result.features).toEqual({ computed: 48 - there, reused: there });
      expect(differing(unbroken.state, state)).toEqual([]);
      expect(result.validation).toEqual(unbroken.result.validation);
    }
    close.abort();
    await paused;
  });
});
