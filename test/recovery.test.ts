/** A pause, other work between steps, snapshots within an epoch, and devices that are lost on the way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fineTune, openGpu, type Classifier, type FineTuneOptions, type Gpu, type ProgressEvent, type StateDict } from '../src/index';
import { collection, differing, stripesClassifier } from './support/stripes';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

const SIZE = 24 * 24 * 3;
const HEAD: FineTuneOptions = { plan: 'head', epochs: 2, batchSize: 8, patience: 0, seed: 5 };
const LAYER4: FineTuneOptions = { ...HEAD, plan: 'layer4' };

async function trained(options: FineTuneOptions, during: (model: Classifier) => FineTuneOptions = () => ({})): Promise<{ state: StateDict; losses: (number | null)[] }> {
  const model = stripesClassifier(gpu);
  try {
    const { history } = await fineTune(model, collection(), { ...options, ...during(model) });
    return { state: await model.network.stateDict(), losses: history.flatMap(({ trainLoss, validationLoss }) => [trainLoss, validationLoss]) };
  } finally {
    model.dispose();
  }
}

describe('between steps', () => {
  it.each([HEAD, LAYER4])('a prediction is of the weights of that moment, and changes no bit: $plan', async (options) => {
    const plain = await trained(options);
    const seen = new Set<string>();
    let turns = 0;
    const busy = await trained(options, (model) => ({
      betweenSteps: async () => {
        turns++;
        seen.add((await model.predict(new Float32Array(SIZE).fill(0.5), 1)).join());
      },
    }));
    expect(differing(plain.state, busy.state)).toEqual([]);
    expect(busy.losses).toEqual(plain.losses);
    // 36 images to train on and 12 to validate: five steps and two batches of validation an epoch, and features before.
    expect(turns).toBeGreaterThanOrEqual(2 * (5 + 2));
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
        if (turns === 2) return new Promise((resolve) => { setTimeout(resolve, 3000); });
        if (turns < 10) return undefined;
        setTimeout(() => abort.abort(), 50);
        return new Promise(() => undefined); // for ever
      },
    });
    expect(result).toMatchObject({ ended: 'interrupted', bestEpoch: 1 });
    expect(turns).toBe(10);
    expect(result.seconds).toBeGreaterThan(3);
    expect(result.history[0].seconds).toBeLessThan(result.seconds - 3);
    model.dispose();
  });

  it('an error ends the run with it', async () => {
    await expect(trained(HEAD, () => ({ betweenSteps: () => Promise.reject(new Error('enough')) }))).rejects.toThrow('enough');
  });
});
