/** A network looked into: Grad-CAM and features. Neither changes it, nor a run that goes on. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  Classifier, Tensor, createModel, embed, fineTune, gradCam, noGrad, openGpu, scope, seededInputs, seededStateDict, toFloat32,
  type ArchitectureName, type FeatureStore, type Features, type Gpu, type StageName,
} from '../src/index';
import { toInside } from '../src/hostTensor';
import { flags } from './support/flags';
import { collection, differing, preprocessing, stripesClassifier } from './support/stripes';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

interface Case {
  readonly arch: ArchitectureName;
  readonly width: number;
  readonly classes: number;
  readonly seed: number;
  readonly imageSize: number;
  readonly layer: StageName;
  readonly wanted: number | null;
  readonly classIndex: number;
  readonly probability: number;
  readonly size: readonly [number, number];
  readonly heat: readonly number[];
}

const { cases } = JSON.parse(readFileSync(new URL('./fixtures/gradcam.json', import.meta.url), 'utf8')) as { cases: Case[] };

function fixtureClassifier({ arch, width, classes, seed, imageSize }: Case): Classifier {
  const network = createModel(gpu, arch, { numClasses: classes, width, initialise: false });
  network.loadStateDict(seededStateDict(network.stateShapes(), seed));
  const square = { ...preprocessing, resizeSize: imageSize, cropSize: imageSize };
  return new Classifier(network, { classes: null, preprocessing: square });
}

/** The fixture's image in the engine's order. */
function fixtureImage({ imageSize, seed }: Case): Float32Array {
  const { shape, data } = toInside([1, 3, imageSize, imageSize], toFloat32(seededInputs([1, 3, imageSize, imageSize], seed)), 'image');
  expect(shape).toEqual([1, imageSize, imageSize, 3]);
  return data as Float32Array;
}

describe('gradCam', () => {
  it('is held against maps that are full, and maps that are empty', () => {
    const empty = cases.filter(({ heat }) => heat.every((value) => value === 0));
    expect(empty.length).toBeGreaterThan(0);
    expect(empty.length).toBeLessThan(cases.length / 4);
  });

  it.each([...new Set(cases.map(({ arch }) => arch))])("gives PyTorch's maps for %s, of every class and stage", async (arch) => {
    const mine = cases.filter((one) => one.arch === arch);
    const classifier = fixtureClassifier(mine[0]);
    const image = fixtureImage(mine[0]);
    let worst = 0;
    for (const want of mine) {
      const got = await gradCam(classifier, image, { layer: want.layer, ...(want.wanted !== null && { classIndex: want.wanted }) });
      expect(got.classIndex).toBe(want.classIndex);
      expect(got.size).toEqual(want.size);
      expect(got.probability).toBeCloseTo(want.probability, 4);
      got.heat.forEach((value, i) => { worst = Math.max(worst, Math.abs(value - want.heat[i])); });
    }
    expect(worst).toBeLessThan(1e-3);
    classifier.dispose();
  });

  it('is, for the last stage, the class weights over the activations', async () => {
    const classifier = fixtureClassifier(cases[0]);
    const { network } = classifier;
    const image = fixtureImage(cases[0]);
    const size = classifier.preprocessing.cropSize;
    network.eval();
    const given = scope(gpu, () => noGrad(() => network.forwardTo('layer4', Tensor.fromArray(gpu, [1, size, size, 3], image))));
    const activations = (await given.toArray()) as Float32Array;
    const weights = (await network.fc.weight.toArray()) as Float32Array;
    const { classIndex, heat } = await gradCam(classifier, image);
    const channels = network.numFeatures;
    const sums = Array.from(heat, (_, place) => Math.max(0, Array.from({ length: channels }, (__, c) => weights[classIndex * channels + c] * activations[place * channels + c]).reduce((a, b) => a + b)));
    const most = Math.max(...sums);
    expect(most).toBeGreaterThan(0);
    heat.forEach((value, i) => expect(value).toBeCloseTo(sums[i] / most, 4));
    given.dispose();
    classifier.dispose();
  });

  it('weighs channels by how the score really moves with them', async () => {
    // A map of one channel alone is that channel where it helps: so its sign is that of the score's change.
    const classifier = fixtureClassifier(cases[0]);
    const { network } = classifier;
    network.eval();
    const size = classifier.preprocessing.cropSize;
    const given = scope(gpu, () => noGrad(() => network.forwardTo('layer3', Tensor.fromArray(gpu, [1, size, size, 3], fixtureImage(cases[0])))));
    const at = (await given.toArray()) as Float32Array;
    const channels = given.shape[3];
    const places = at.length / channels;
    const score = async (values: Float32Array): Promise<number> => {
      const logits = scope(gpu, () => noGrad(() => network.forwardHead(network.forwardFrom('layer3', Tensor.fromArray(gpu, given.shape, values)))));
      const scores = (await logits.toArray()) as Float32Array;
      logits.dispose();
      return scores[classIndex];
    };
    const { classIndex, heat } = await gradCam(classifier, fixtureImage(cases[0]), { layer: 'layer3' });
    // Central differences along each channel as a whole give the mean of its gradient over places, times the places.
    const step = 1e-2;
    const slopes: number[] = [];
    for (let channel = 0; channel < channels; channel++) {
      const moved = (by: number): Float32Array => at.map((value, i) => (i % channels === channel ? value + by : value));
      slopes.push(((await score(moved(step))) - (await score(moved(-step)))) / (2 * step * places));
    }
    const sums = Array.from({ length: places }, (_, place) => Math.max(0, slopes.reduce((sum, slope, c) => sum + slope * at[place * channels + c], 0)));
    const most = Math.max(...sums);
    heat.forEach((value, i) => expect(Math.abs(value - sums[i] / most)).toBeLessThan(0.02));
    given.dispose();
    classifier.dispose();
  });

  it('leaves modes, freezing, gradients, memory and weights as they were, and gives the same bits again', async () => {
    const classifier = fixtureClassifier(cases[0]);
    const { network } = classifier;
    const image = fixtureImage(cases[0]);
    network.train();
    network.freeze('conv1', 'layer2.0.bn1');
    network.recompute = ['layer3'];
    network.fc.weight.grad = Tensor.fromArray(gpu, network.fc.weight.shape, new Float32Array(network.fc.weight.size).fill(2));
    const first = await gradCam(classifier, image, { layer: 'layer2' }); // what frozen layers keep ready is made now
    const [before, state, { liveBytes }] = [flags(classifier), await network.stateDict(), gpu.memory()];
    const again = await gradCam(classifier, image, { layer: 'layer2' });
    expect(again).toEqual(first);
    expect(flags(classifier)).toEqual(before);
    expect((await network.fc.weight.grad.toArray()).every((value) => value === 2)).toBe(true);
    expect(differing(state, await network.stateDict())).toEqual([]);
    expect(gpu.memory().liveBytes).toBe(liveBytes);
    network.fc.weight.grad.dispose();
    classifier.dispose();
  });

  it('between the steps of a run changes no bit of what the run gives', async () => {
    const train = async (look: boolean): Promise<Map<string, unknown>> => {
      const classifier = stripesClassifier(gpu);
      const image = await collection().validation.load(0, preprocessing);
      let looks = 0;
      await fineTune(classifier, collection(), {
        plan: 'layer4', epochs: 2, batchSize: 12, bn: 'update', seed: 2,
        betweenSteps: async () => {
          if (look && looks++ % 3 === 0) await gradCam(classifier, image, { layer: looks % 2 ? 'layer4' : 'layer3' });
        },
      });
      expect(looks > 3).toBe(look);
      const state = await classifier.network.stateDict();
      classifier.dispose();
      return state;
    };
    expect(await train(true)).toEqual(await train(false));
  });

  it('says what is wrong with a class, a stage or an image', async () => {
    const classifier = stripesClassifier(gpu);
    const image = await collection().validation.load(0, preprocessing);
    await expect(gradCam(classifier, image, { classIndex: 3 })).rejects.toThrow(/classIndex must be a whole number from 0 to 2, got 3/);
    await expect(gradCam(classifier, image, { layer: 'layer5' as StageName })).rejects.toThrow(/no stage is called 'layer5'\. Did you mean 'layer1'/);
    await expect(gradCam(classifier, image.subarray(3))).rejects.toThrow(/1725 values are no image of \[24, 24, 3\]/);
    classifier.dispose();
  });
});

describe('embed', () => {
  it('gives the features that fineTune trains the head on, each image once', async () => {
    const kept = new Map<string, Features>();
    const asked: string[] = [];
    const store: FeatureStore = {
      load: (fingerprint) => { asked.push(fingerprint); return Promise.resolve(new Map(kept.get(fingerprint))); },
      add: (fingerprint, features) => { kept.set(fingerprint, new Map([...(kept.get(fingerprint) ?? []), ...features])); return Promise.resolve(); },
    };
    const data = collection(8, ['vertical/3.png']);
    const classifier = stripesClassifier(gpu);
    await fineTune(classifier, data, { epochs: 1, features: store });
    const [known] = kept.values();
    const counts: number[] = [];
    const skipped: string[] = [];
    const options = { onSkip: ({ path }: { path: string }) => void skipped.push(path), onProgress: (done: number, total: number) => void counts.push(done, total) };
    const fresh = await embed(classifier, data.train, options);
    expect(fresh.length).toBe(32);
    expect(counts.at(-2)).toBe(fresh.items.length);
    fresh.items.forEach(({ hash }, i) => expect(fresh.features[i]).toEqual(known.get(hash)));
    const readable = data.train.items.filter(({ name }) => name !== 'vertical/3.png');
    expect(fresh.items).toEqual(readable);
    expect(skipped.length + readable.length).toBe(data.train.items.length);
    // Known ones are not computed again; those of another trunk are.
    const before = kept.get(asked[0])?.size;
    expect((await embed(classifier, data.train, { features: store })).features).toEqual(fresh.features);
    expect(kept.get(asked[0])?.size).toBe(before);
    await fineTune(classifier, data, { plan: 'layer4', epochs: 1 });
    expect((await embed(classifier, data.train, { features: store })).features).not.toEqual(fresh.features);
    expect(kept.size).toBe(2);
    classifier.dispose();
  });

  it('repeats images of the same content without computing them twice, and ends when it is told to', async () => {
    const data = collection(4);
    const classifier = stripesClassifier(gpu);
    const twice = data.train.subset([0, 1, 0]);
    const { items, features } = await embed(classifier, twice);
    expect(items.length).toBe(3);
    expect(features[2]).toBe(features[0]);
    expect((await embed(classifier, data.train, { signal: AbortSignal.abort() })).items).toEqual([]);
    classifier.dispose();
  });
});
