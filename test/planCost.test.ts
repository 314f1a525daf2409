/** What a network consists of and what training it costs, told before a run; and how fast the device is. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ARCHITECTURES, Classifier, createModel, describeNetwork, estimateMemory, expectedSeconds, measureSpeed, openGpu, planCost, randomClassifier, refineSpeed, rehearseSpeed,
  type ArchitectureName, type Gpu, type Speed,
} from '../src/index';
import { planCosts } from '../app/worker/costs';
import { partsOn } from '../app/worker/project/checks';
import { DEFAULT_SETTINGS } from '../app/shared/protocol';
import { flags } from './support/flags';
import { differing, preprocessing, stripesClassifier } from './support/stripes';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

describe('describeNetwork', () => {
  it.each(Object.keys(ARCHITECTURES) as ArchitectureName[])('tells the parts of %s, down to its parameters', (name) => {
    const network = createModel(gpu, name, { numClasses: 7, initialise: false });
    const { liveBytes } = gpu.memory();
    const parts = describeNetwork(network, 224);
    expect(gpu.memory().liveBytes).toBe(liveBytes);
    const { depths, block } = ARCHITECTURES[name];
    expect(parts.map((part) => part.name)).toEqual(['conv1', ...depths.flatMap((depth, i) => Array.from({ length: depth }, (_, j) => `layer${i + 1}.${j}`)), 'head']);
    expect(parts.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(network.parameters().reduce((sum, { size }) => sum + size, 0));
    expect(parts[0].output).toEqual([56, 56, 64]);
    expect(parts.at(-2)?.output).toEqual([7, 7, block === 'basic' ? 512 : 2048]);
    expect(parts.at(-1)).toMatchObject({ stage: 'head', output: [1, 1, 7], title: 'Mean over places; fully connected, 7 classes' });
    expect(parts[1 + depths[0]].title).toContain('stride 2');
    network.dispose();
  });

  it('knows of images so small that one place is left, in training mode, and leaves that mode', () => {
    const classifier = stripesClassifier(gpu);
    classifier.network.train();
    const before = flags(classifier);
    expect(describeNetwork(classifier.network, 16).at(-2)?.output).toEqual([1, 1, 32]);
    expect(flags(classifier)).toEqual(before);
    classifier.dispose();
  });

  it('names what blocks are made of', () => {
    const titles = (name: ArchitectureName): string[] => {
      const network = createModel(gpu, name, { initialise: false });
      const parts = describeNetwork(network, 64).slice(0, 2).map(({ title }) => title);
      network.dispose();
      return parts;
    };
    expect(titles('resnet18')).toEqual(['7 x 7 convolution, stride 2; max pooling', 'Two 3 x 3 convolutions']);
    expect(titles('resnext50_32x4d')[1]).toBe('1 x 1, 3 x 3 and 1 x 1 convolutions, 32 groups');
  });
});

describe('planCost', () => {
  /** torchvision's published GFLOPS (multiply-adds), of 1000 classes at 224. */
  it.each([['resnet18', 1.814, 11_689_512], ['resnet50', 4.089, 25_557_032], ['resnext50_32x4d', 4.23, 25_028_904]] as const)('counts the arithmetic of %s', async (name, gmac, parameters) => {
    const network = createModel(gpu, name, { initialise: false });
    const classifier = new Classifier(network, { classes: null, preprocessing: { ...preprocessing, resizeSize: 256, cropSize: 224 } });
    const cost = await planCost(classifier, { plan: 'full', batchSize: 2 });
    expect(cost.arithmetic.forward / 2e9).toBeCloseTo(gmac, 2);
    expect(cost.parameters).toBe(parameters);
    expect(cost.trainedParameters).toBe(parameters);
    // Both gradients of every convolution, but not that of the images.
    expect(cost.arithmetic.step.forward).toBe(cost.arithmetic.forward);
    const stem = 2 * 112 * 112 * 64 * 7 * 7 * 3;
    expect(cost.arithmetic.step.backward).toBe(2 * cost.arithmetic.forward - stem);
    network.dispose();
  });

  it('grows from the head to the whole network, and is what the run and its estimate tell', async () => {
    const classifier = stripesClassifier(gpu);
    const before = flags(classifier);
    const costs = [];
    for (const plan of ['head', 'layer4.1', 'layer4', 'layer2', 'full']) costs.push(await planCost(classifier, { plan, batchSize: 8 }));
    for (const [i, cost] of costs.entries()) {
      if (i === 0) continue;
      expect(cost.trainedParameters).toBeGreaterThan(costs[i - 1].trainedParameters);
      expect(cost.arithmetic.step.backward).toBeGreaterThan(costs[i - 1].arithmetic.step.backward);
    }
    const [head] = costs;
    expect(head.arithmetic).toMatchObject({ onFeatures: true, evaluation: 2 * 32 * 3, step: { forward: 2 * 32 * 3, backward: 2 * 32 * 3 } });
    expect(head.arithmetic.features).toBe(head.arithmetic.forward - 2 * 32 * 3);
    expect(head.trainedParameters).toBe(33 * 3);
    expect((await planCost(classifier, { plan: 'head', augment: {} })).arithmetic).toMatchObject({ onFeatures: false, evaluation: head.arithmetic.forward });
    expect(head.memory).toEqual(await estimateMemory(classifier, { plan: 'head', batchSize: 8 }));
    expect(flags(classifier)).toEqual(before);
    await expect(planCost(classifier, { plan: 'layer4.7' })).rejects.toThrow(/layer4\.7/);
    classifier.dispose();
  });
});

describe('expectedSeconds', () => {
  const speed: Speed = { forward: 1e9, backward: 5e8, overhead: 0.01, startup: { forward: 1, backward: 2 } };

  it('adds up start, features once, and epochs', async () => {
    const classifier = stripesClassifier(gpu);
    const images = { train: 30, validation: 10 };
    const head = await planCost(classifier, { plan: 'head', batchSize: 8, epochs: 3 });
    const steps = 3 * (4 + 2) * 0.01;
    const tiny = 3 * (30 * (192e-9 + 384e-9) + 10 * 192e-9);
    expect(expectedSeconds(head, images, speed)).toBeCloseTo(1 + (40 * head.arithmetic.features) / 1e9 + steps + tiny, 6);
    expect(expectedSeconds(head, { ...images, known: 40 }, speed)).toBeCloseTo(steps + tiny, 6); // and no program of the trunk is made
    const full = await planCost(classifier, { plan: 'full', batchSize: 8, epochs: 1 });
    const { forward, backward } = full.arithmetic.step;
    expect(expectedSeconds(full, images, speed)).toBeCloseTo(3 + 0.06 + 30 * (forward / 1e9 + backward / 5e8) + (10 * full.arithmetic.evaluation) / 1e9, 6);
    classifier.dispose();
  });

  it('is mended by what runs took', async () => {
    const classifier = stripesClassifier(gpu);
    const images = { train: 30, validation: 10 };
    for (const plan of ['full', 'head']) {
      const cost = await planCost(classifier, { plan, batchSize: 8, epochs: 4 });
      const real: Speed = { forward: 3e8, backward: 1.5e8, overhead: 0.03, startup: speed.startup };
      const epoch = { epoch: 1, lr: 0, trainLoss: 0, validationLoss: 0, validationAccuracy: 0 };
      const epochSeconds = (expectedSeconds({ ...cost, epochs: 2 }, images, real) - expectedSeconds({ ...cost, epochs: 1 }, images, real));
      const history = Array.from({ length: 4 }, () => ({ ...epoch, seconds: epochSeconds }));
      const mended = refineSpeed(speed, cost, { history, images, features: plan === 'head' ? { computed: 40, reused: 0 } : null, seconds: expectedSeconds(cost, images, real) });
      const [before, after] = [speed, mended].map((one) => expectedSeconds(cost, images, one) / expectedSeconds(cost, images, real));
      expect(Math.abs(Math.log(before))).toBeGreaterThan(0.05);
      expect(after).toBeCloseTo(1, 1);
      expect(refineSpeed(speed, cost, { history: [], images, features: null, seconds: 1 })).toBe(speed);
      // A run that computed no features tells nothing of how long starting the trunk takes.
      if (plan === 'head') expect(refineSpeed(speed, cost, { history, images, features: { computed: 0, reused: 40 }, seconds: 1 })).toMatchObject({ forward: speed.forward, startup: speed.startup });
    }
    classifier.dispose();
  });
});

describe("the studio's costs of plans", () => {
  it('are those of planCost, worked out for some blocks of a long stage and drawn between for the others', async () => {
    const classifier = randomClassifier(gpu, 'resnet101', ['a', 'b'], { width: 8, preprocessing: { ...preprocessing, resizeSize: 32, cropSize: 32 } });
    const speed: Speed = { forward: 1e9, backward: 5e8, overhead: 0.01, startup: { forward: 0, backward: 0 } };
    const settings = { ...DEFAULT_SETTINGS, batchSize: 16, epochs: 2 };
    const images = { train: 40, validation: 10 };
    const plans = ['head', 'layer4', 'layer3.20', 'layer3.9', 'layer3.2', 'layer3.1', 'layer3.0', 'full'];
    const shown = await planCosts(classifier, plans, settings, images, { speed, rough: false });
    expect(shown.map(({ plan }) => plan)).toEqual(plans);
    for (const cost of shown) {
      const parts = partsOn(gpu.adapter, { ...settings, plan: cost.plan });
      const exact = await planCost(classifier, { plan: cost.plan, batchSize: 16, epochs: 2, ...parts }, images);
      expect(cost.trainedParameters).toBe(exact.trainedParameters);
      expect(Math.abs(cost.memoryBytes / exact.memory.bytes - 1)).toBeLessThan(0.02);
      expect((cost.seconds ?? 0) / expectedSeconds(exact, images, speed)).toBeCloseTo(1, 6);
    }
    expect(await planCosts(classifier, ['head'], settings, images, null)).toEqual([{ ...shown[0], seconds: null }]);
    expect((await planCosts(classifier, ['head'], settings, { train: 0, validation: 0 }, { speed, rough: false }))[0].seconds).toBeNull();
    // Features that are known need not be computed: that is for plans on features.
    const known = await planCosts(classifier, ['head', 'layer4'], settings, { ...images, known: 50 }, { speed, rough: true });
    const head = await planCost(classifier, { plan: 'head', batchSize: 16, epochs: 2 }, images);
    expect(known).toEqual([{ ...shown[0], seconds: expectedSeconds(head, { ...images, known: 50 }, speed), rough: true, known: 50 }, { ...shown[1], rough: true }]);
    expect(known[0].seconds).toBeLessThan((shown[0].seconds ?? 0) / 2);
    classifier.dispose();
  });
});

describe('the speed of a device', () => {
  it.each([['measured', measureSpeed], ['rehearsed', rehearseSpeed]])('is plausible where it is %s, which leaves the network as it was, and no memory behind', async (_, tell) => {
    const classifier = stripesClassifier(gpu);
    await tell(classifier); // what frozen layers keep ready is made now
    const [before, state, { liveBytes }] = [flags(classifier), await classifier.network.stateDict(), gpu.memory()];
    const speed = await tell(classifier);
    for (const value of [speed.forward, speed.backward]) {
      expect(value).toBeGreaterThan(1e6);
      expect(value).toBeLessThan(1e15);
    }
    expect(speed.overhead).toBeGreaterThan(0);
    expect(speed.overhead).toBeLessThan(1);
    expect(flags(classifier)).toEqual(before);
    expect(differing(state, await classifier.network.stateDict())).toEqual([]);
    expect(gpu.memory().liveBytes).toBe(liveBytes);
    classifier.dispose();
  });
});
