/** Fine-tuning where something goes wrong or comes in between: nothing is lost, nothing is left behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDataset, fineTune, openGpu, type Classifier, type FineTuneOptions, type Gpu, type ProgressEvent } from '../src/index';
import { CLASSES, collection, differing, memoryStore, stripesClassifier } from './support/stripes';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

const FULL: FineTuneOptions = { plan: 'full', epochs: 3, batchSize: 8, patience: 0, seed: 5 };
const SIZE = 24 * 24 * 3;

async function withClassifier<T>(run: (model: Classifier) => Promise<T>): Promise<T> {
  const model = stripesClassifier(gpu);
  try {
    return await run(model);
  } finally {
    model.dispose();
  }
}

describe('a last batch of one image, which cannot be normalised by itself', () => {
  // 36 images to train on: five batches of 7 and one image.
  const options: FineTuneOptions = { ...FULL, batchSize: 7 };

  it('is left out in every epoch', () => withClassifier(async (model) => {
    const steps: number[] = [];
    await fineTune(model, collection(), { ...options, onProgress: (event) => void (event.kind === 'step' && steps.push(event.steps)) });
    expect(new Set(steps)).toEqual(new Set([5]));
  }));

  it('is left out where the others of its batch cannot be read', () => withClassifier(async (model) => {
    const [, ...broken] = collection().train.items.map(({ name }) => name);
    const data = collection(16, broken.slice(0, 20));
    const result = await fineTune(model, data, { ...options, batchSize: 2 });
    expect(result.ended).toBe('finished');
  }));
});

describe('while a full training runs', () => {
  it('predictions change none of its bits', async () => {
    const run = (predicting: boolean) => withClassifier(async (model) => {
      const pending: Promise<unknown>[] = [];
      const onProgress = (event: ProgressEvent): void => {
        if (predicting && event.kind === 'step') pending.push(model.predict(new Float32Array(SIZE), 1));
      };
      // Losses are fetched every 8 steps, so an epoch of 18 has steps after a prediction.
      await fineTune(model, collection(), { ...FULL, epochs: 1, batchSize: 2, onProgress });
      await Promise.all(pending);
      expect(pending.length > 0).toBe(predicting);
      return model.network.stateDict();
    });
    expect(differing(await run(false), await run(true))).toEqual([]);
  });

  it('another on the same device does not disturb it', async () => {
    const run = () => withClassifier(async (model) => {
      await fineTune(model, collection(), FULL);
      return model.network.stateDict();
    });
    const alone = await run();
    for (const state of await Promise.all([run(), run()])) expect(differing(alone, state)).toEqual([]);
  });
});

describe('memory goes back', () => {
  it('when a checkpoint is refused', () => withClassifier(async (model) => {
    const checkpoint = memoryStore();
    await fineTune(model, collection(), { ...FULL, epochs: 1, checkpoint });
    const { liveBytes } = gpu.memory();
    await expect(fineTune(model, collection(), { ...FULL, epochs: 2, checkpoint, resume: true })).rejects.toThrow(/made with epochs 1/);
    expect(gpu.memory().liveBytes).toBe(liveBytes);
  }));

  it('when the listener throws between two steps', () => withClassifier(async (model) => {
    const data = collection(16, CLASSES.flatMap((name) => [`${name}/7.png`, `${name}/8.png`, `${name}/9.png`]));
    const options: FineTuneOptions = { ...FULL, bn: 'hold', epochs: 1, batchSize: 3 };
    const run = async (): Promise<number> => {
      let skipped = 0;
      const onProgress = (event: ProgressEvent): void => {
        if (event.kind === 'skip' && ++skipped === 3) throw new Error('enough');
      };
      await expect(fineTune(model, data, { ...options, onProgress })).rejects.toThrow('enough');
      return gpu.memory().liveBytes;
    };
    expect(await run()).toBe(await run());
  }));
});

describe('bad options are refused before anything is touched', () => {
  it.each([
    [{ plan: 'laier4' }, /no plan or layer is called 'laier4'/],
    [{ optimizer: { name: 'sgd' as const, momentum: -1 } }, /momentum must be/],
  ])('%j', async (options, message) => {
    const model = stripesClassifier(gpu);
    const { weight } = model.network.fc;
    const events: ProgressEvent[] = [];
    const data = { ...collection(), classes: ['a', 'b', 'c'] };
    await expect(fineTune(model, data, { ...options, onProgress: (event) => void events.push(event) })).rejects.toThrow(message);
    expect(model.network.fc.weight).toBe(weight);
    expect(model.classes).toEqual(CLASSES);
    expect(events).toEqual([]);
    model.dispose();
  });
});

describe('the best epoch', () => {
  it('is the last one when no validation image can be read', () => withClassifier(async (model) => {
    const data = collection();
    const validation = data.validation.items.map(({ name }) => name);
    const result = await fineTune(model, collection(16, validation), { ...FULL, patience: 1 });
    expect(result).toMatchObject({ ended: 'finished', bestEpoch: 3, validation: null });
    expect(result.history.map((record) => record.validationAccuracy)).toEqual([null, null, null]);
  }));

  it('is never one whose validation loss is not a number', () => withClassifier(async (model) => {
    const data = collection();
    const { items } = data.validation;
    const validation = createDataset(CLASSES, items, () => Promise.resolve(new Float32Array(SIZE).fill(NaN)));
    const result = await fineTune(model, { ...data, validation }, FULL);
    expect([result.ended, result.bestEpoch]).toEqual(['diverged', 0]);
    expect(result.reason).toMatch(/validation loss became NaN after step \d+, the last of epoch 1; try a learning rate/);
  }));

  it('is never one that left weights without a value', () => withClassifier(async (model) => {
    // The loss of the only step is finite; the step itself overflows, and no validation image shows it.
    const start = await model.network.stateDict();
    const data = collection();
    const result = await fineTune(model, { ...data, validation: data.validation.subset([]) }, { epochs: 1, batchSize: 64, optimizer: { name: 'sgd', lr: 1e30, weightDecay: 1e30 } });
    expect(result).toMatchObject({ ended: 'diverged', bestEpoch: 0, history: [] });
    expect(result.reason).toMatch(/not finite after step 1, the last of epoch 1; try a learning rate/);
    expect(differing(start, await model.network.stateDict())).toEqual([]);
  }));
});
