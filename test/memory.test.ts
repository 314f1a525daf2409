/** A batch in parts, the estimate before a run, budgets, and memory that runs out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  OutOfMemoryError, Tensor, add, capture, createDataset, fineTune, openGpu, randomClassifier, split,
  type Classifier, type FineTuneOptions, type FineTuneResult, type Gpu, type ImageCollection, type ProgressEvent, type StateDict,
} from '../src/index';
import { memorySize } from '../src/cli/arguments';
import { memoryPhrase } from '../src/report/memory';
import { parseCheckpoint, serializeCheckpoint } from '../src/transfer/checkpoint';
import { estimateMemory, halvings } from '../src/transfer/memory';
import { partSizes } from '../src/transfer/trainStep';
import type { MemoryUse } from '../src/transfer/types';
import { collection, differing, memoryStore, stripesClassifier } from './support/stripes';
import { numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

/** Noise of a size of its own, a third of it for validation. */
function noise(size: number, images: number): ImageCollection {
  const classes = ['a', 'b'];
  const items = Array.from({ length: images }, (_, i) => ({ name: `${i}.png`, label: i % 2, hash: String(i).padStart(64, '0') }));
  const dataset = createDataset(classes, items, (item) => Promise.resolve(numbers(size * size * 3, Number(item.hash))));
  return { classes, ...split(dataset, 1 / 3), report: { found: images, skipped: [], duplicates: [], conflicts: [], warnings: [] } };
}

function noiseClassifier(on: Gpu, architecture: string, size: number, width = 8): Classifier {
  return randomClassifier(on, architecture, ['a', 'b'], {
    width, preprocessing: { resizeSize: size, cropSize: size, interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  });
}

describe('partSizes', () => {
  it.each([
    [32, 8, 1, [8, 8, 8, 8]], [9, 4, 1, [4, 4, 1]], [9, 4, 2, [4, 3, 2]], [9, 2, 2, [2, 2, 2, 2]], [5, 8, 2, [5]], [3, 1, 1, [1, 1, 1]], [2, 2, 2, [2]],
  ] as const)('%i in parts of %i, %i at least', (images, most, least, sizes) => {
    expect(partSizes(images, most, least)).toEqual(sizes);
  });
  it('halves down to powers of two', () => {
    expect([halvings(32, 1), halvings(24, 2), halvings(1, 1)]).toEqual([[32, 16, 8, 4, 2, 1], [24, 16, 8, 4, 2], [1]]);
  });
});

describe('a batch in parts', () => {
  async function run(options: FineTuneOptions): Promise<{ state: StateDict; lr: number[]; losses: number[]; steps: number[] }> {
    const model = stripesClassifier(gpu);
    const steps: number[] = [];
    const { history } = await fineTune(model, collection(), {
      epochs: 2, batchSize: 10, optimizer: { name: 'sgd', lr: 0.01, momentum: 0.9 }, patience: 0, seed: 5, ...options,
      onProgress: (event) => void (event.kind === 'step' && steps.push(event.steps)),
    });
    const state = await model.network.stateDict();
    model.dispose();
    return { state, steps: [...new Set(steps)], lr: history.map(({ lr }) => lr), losses: history.flatMap(({ trainLoss, validationLoss }) => [trainLoss, validationLoss ?? 0]) };
  }

  it.each([
    ['layer4, statistics held', { plan: 'layer4', microBatch: 4 }],
    ['the head, on images', { plan: 'head', microBatch: 3, augment: { horizontalFlip: 0 } }],
    ['everything, one image at a time', { plan: 'full', bn: 'hold', microBatch: 1, clipNorm: 1, labelSmoothing: 0.1 }],
  ] as const)('takes the steps of the whole batch: %s', async (_, options) => {
    const { microBatch, ...whole } = options;
    const [a, b] = [await run(whole), await run({ ...whole, microBatch })];
    expect(b.steps).toEqual(a.steps);
    expect(b.lr).toEqual(a.lr);
    b.losses.forEach((loss, i) => expect(loss).toBeCloseTo(a.losses[i], 4));
    for (const [name, { data }] of a.state) {
      if (name.endsWith('tracked')) continue;
      const [before, after] = [data as Float32Array, b.state.get(name)?.data as Float32Array];
      const largest = before.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-3);
      const worst = before.reduce((most, v, i) => Math.max(most, Math.abs(v - after[i])), 0);
      expect(worst / largest, name).toBeLessThan(1e-3);
    }
  });

  it('leaves features of a frozen trunk the same bits for bits', async () => {
    const [a, b] = [await run({ plan: 'head' }), await run({ plan: 'head', microBatch: 10 })];
    expect(differing(a.state, b.state)).toEqual([]);
  });

  it('follows the statistics of its parts, at least two images each, when batch norm is trained', async () => {
    const { losses } = await run({ plan: 'full', microBatch: 3 });
    expect(losses.every(Number.isFinite)).toBe(true);
    await expect(run({ plan: 'full', microBatch: 1 })).rejects.toThrow(/microBatch 1 a batch norm would follow one image at a time/);
  });

  it('goes on in the parts it began with', async () => {
    const options: FineTuneOptions = { plan: 'full', microBatch: 4, epochs: 2 };
    const unbroken = await run(options);
    const checkpoint = memoryStore();
    const abort = new AbortController();
    const model = stripesClassifier(gpu);
    const shared = { batchSize: 10, optimizer: { name: 'sgd', lr: 0.01, momentum: 0.9 }, patience: 0, seed: 5, checkpoint } as const;
    await fineTune(model, collection(), { ...options, ...shared, signal: abort.signal, onProgress: (event) => void (event.kind === 'epoch' && abort.abort()) });
    const again = stripesClassifier(gpu);
    const seen: MemoryUse[] = [];
    const { microBatch, ...rest } = options;
    await fineTune(again, collection(), { ...rest, ...shared, resume: true, onProgress: (event) => void (event.kind === 'memory' && seen.push(event.memory)) });
    expect(seen.map((memory) => memory.microBatch)).toEqual([microBatch]);
    expect(differing(unbroken.state, await again.network.stateDict())).toEqual([]);
    await expect(fineTune(again, collection(), { ...rest, ...shared, microBatch: 5, resume: true })).rejects.toThrow(/made with microBatch 4, this run has 5/);
    model.dispose();
    again.dispose();
  });
});

describe('the estimate', () => {
  it.each([
    ['resnet18', { plan: 'head', batchSize: 8 }],
    ['resnet18', { plan: 'head', batchSize: 8, augment: { horizontalFlip: 0.5 } }],
    ['resnet18', { plan: 'layer4', batchSize: 4 }],
    ['resnet18', { plan: 'full', batchSize: 4 }],
    ['resnet18', { plan: 'full', batchSize: 12, optimizer: { name: 'sgd', momentum: 0.9 } }],
    ['resnet18', { plan: 'full', batchSize: 12, recompute: true }],
    ['resnet18', { plan: 'full', batchSize: 12, microBatch: 4, recompute: ['layer1'] }],
    ['resnet50', { plan: 'head', batchSize: 12 }],
    ['resnet50', { plan: 'layer4', batchSize: 8, clipNorm: 1 }],
    ['resnet50', { plan: 'full', batchSize: 6 }],
    ['resnet50', { plan: 'full', batchSize: 6, recompute: true }],
    ['resnet50', { plan: 'full', batchSize: 12, microBatch: 2, recompute: true }],
  ] as const)('%s %j is within a tenth of what is allocated', async (architecture, options) => {
    const own = await openGpu();
    const model = noiseClassifier(own, architecture, 48);
    const { bytes } = await estimateMemory(model, options, { train: 14, validation: 6 });
    const { memory, peakBytes } = await fineTune(model, noise(48, 20), { ...options, epochs: 1 });
    expect(memory.estimate).toBe(bytes);
    expect(Math.abs(bytes / peakBytes - 1)).toBeLessThan(0.1);
    own.destroy();
  });

  it('leaves the network as it was, and nothing allocated', async () => {
    const model = noiseClassifier(gpu, 'resnet18', 32);
    model.network.freeze('layer1');
    model.network.eval();
    await estimateMemory(model, { plan: 'full' });
    const before = gpu.memory().liveBytes;
    const parts = await estimateMemory(model, { plan: 'full' });
    expect(gpu.memory().liveBytes).toBe(before);
    expect(parts.bytes).toBe(parts.held + parts.optimizer + parts.inputs + parts.temporaries + parts.rest);
    expect([model.network.training, model.network.fc.weight.requiresGrad]).toEqual([false, true]);
    expect([...model.network.namedParameters()].filter(([, p]) => !p.requiresGrad).every(([name]) => name.startsWith('layer1.'))).toBe(true);
    expect(model.network.fc.weight.grad).toBeUndefined();
    model.dispose();
  });
});

describe('a budget', () => {
  async function within(share: number, options: FineTuneOptions): Promise<{ memory: MemoryUse; peakBytes: number; whole: number; events: ProgressEvent[] }> {
    const own = await openGpu();
    const model = noiseClassifier(own, 'resnet18', 96, 4);
    const events: ProgressEvent[] = [];
    const whole = (await estimateMemory(model, options, { train: 14, validation: 6 })).bytes;
    try {
      const result = await fineTune(model, noise(96, 20), { epochs: 1, ...options, memoryBudget: whole * share, onProgress: (event) => void events.push(event) });
      return { ...result, whole, events };
    } finally {
      own.destroy();
    }
  }

  it('that is enough changes nothing', async () => {
    const { memory } = await within(1, { plan: 'full', batchSize: 12 });
    expect(memory).toMatchObject({ microBatch: 12, recompute: false });
  });

  it('is kept by taking the batch in parts, as large as fit', async () => {
    const { memory, peakBytes, whole, events } = await within(0.7, { plan: 'full', batchSize: 12 });
    expect(memory.recompute).toBe(false);
    expect([8, 4, 2]).toContain(memory.microBatch);
    expect(memory.estimate).toBeLessThanOrEqual(whole * 0.7);
    expect(peakBytes).toBeLessThanOrEqual(whole * 0.7 * 1.1);
    expect(events[0]).toEqual({ kind: 'memory', batchSize: 12, memory });
  });

  it('that no part fits turns recomputation on, or says what it takes', async () => {
    const own = await openGpu();
    const model = noiseClassifier(own, 'resnet50', 96, 4);
    const least = (await estimateMemory(model, { plan: 'full', batchSize: 4, microBatch: 2 }, { train: 14, validation: 6 })).bytes;
    const spared = (await estimateMemory(model, { plan: 'full', batchSize: 4, microBatch: 2, recompute: true }, { train: 14, validation: 6 })).bytes;
    expect(spared).toBeLessThan(least);
    const { memory } = await fineTune(model, noise(96, 20), { plan: 'full', batchSize: 4, epochs: 1, memoryBudget: least - 1 });
    expect(memory.recompute).toBe(true);
    await expect(fineTune(model, noise(96, 20), { plan: 'full', batchSize: 4, memoryBudget: spared - 1 }))
      .rejects.toThrow(/even two images at a time, with blocks recomputed, would take [\d.]+ MB of GPU memory, past the budget of [\d.]+ MB; allow more/);
    own.destroy();
  });

  it.each([[{ memoryBudget: 0 }, /memoryBudget must be a positive number/], [{ microBatch: 1.5 }, /microBatch must be a whole number/]])('refuses %j', async (options, message) => {
    const model = stripesClassifier(gpu);
    await expect(fineTune(model, collection(), options)).rejects.toThrow(message);
    model.dispose();
  });
});

/** Makes the device refuse buffers of more than `most` bytes, as one does that has no more memory. */
function limitMemory(own: Gpu, most: number): void {
  refuseBuffers(own, (bytes) => bytes > most);
}

/** Makes the device refuse these buffers. */
function refuseBuffers(own: Gpu, refuse: (bytes: number) => boolean): void {
  const { device } = own;
  const [createBuffer, popErrorScope] = [device.createBuffer.bind(device), device.popErrorScope.bind(device)];
  let refused = false;
  device.createBuffer = (descriptor) => {
    if (descriptor.usage & 0x80 && refuse(descriptor.size)) refused = true; // STORAGE: what tensors lie in
    return createBuffer(descriptor);
  };
  device.popErrorScope = async () => {
    const none = refused;
    refused = false;
    const error = await popErrorScope();
    return none ? ({ message: 'Out of memory' } as GPUError) : error;
  };
}

describe('memory that runs out', () => {
  const options: FineTuneOptions = { plan: 'full', batchSize: 12, epochs: 2, optimizer: { name: 'sgd', lr: 0.01 }, seed: 3 };

  it('makes the parts smaller, says so, and gives what such parts give', async () => {
    const states: StateDict[] = [];
    for (const small of [true, false]) {
      const own = await openGpu();
      const model = noiseClassifier(own, 'resnet18', 96);
      if (small) limitMemory(own, 950_000);
      const events: ProgressEvent[] = [];
      const { memory, ended } = await fineTune(model, noise(96, 36), { ...options, ...(!small && { microBatch: 8 }), onProgress: (event) => void events.push(event) });
      expect([ended, memory.microBatch]).toEqual(['finished', 8]); // of 12 the images alone are larger
      const notes = events.flatMap((event) => (event.kind === 'note' ? [event.message] : []));
      expect(notes).toEqual(small ? ['The GPU had no memory for 12 images at a time; trying with 8 at a time.'] : []);
      states.push(await model.network.stateDict());
      own.destroy();
    }
    expect(differing(states[0], states[1])).toEqual([]);
  });

  /** A tensor that there is no memory for, where `refuseBuffers` says so. */
  const LARGE = 1 << 22;

  /** Trains; what runs before the turn `moment` takes memory that is not there, and does not ask how it went. */
  async function short(extra: FineTuneOptions, moment: number): Promise<{ state: StateDict; result: FineTuneResult; events: ProgressEvent[]; notes: string[] }> {
    const own = await openGpu();
    const model = noiseClassifier(own, 'resnet18', 32, 4);
    const events: ProgressEvent[] = [];
    let turns = 0;
    refuseBuffers(own, (bytes) => bytes === LARGE);
    const result = await fineTune(model, noise(32, 36), {
      ...options, ...extra,
      onProgress: (event) => void events.push(event),
      betweenSteps: () => {
        if (++turns === moment) void Tensor.empty(own, [LARGE / 4]).storage.buffer;
      },
    });
    const state = await model.network.stateDict();
    own.destroy();
    return { state, result, events, notes: events.flatMap((event) => (event.kind === 'note' ? [event.message] : [])) };
  }

  it('in the middle of a run goes back to the last snapshot, and on with smaller parts', async () => {
    // Two steps and a batch of validation an epoch: the fifth turn is the second step of epoch 2.
    const { result, events, state, notes } = await short({ epochs: 3 }, 5);
    expect(result).toMatchObject({ ended: 'finished', memory: { microBatch: 8 } });
    expect(result.history.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(notes).toEqual(['The GPU ran out of memory with 12 images at a time; going on after epoch 1, with 8 at a time.']);
    expect(events.flatMap((event) => (event.kind === 'memory' ? [event.memory.microBatch] : []))).toEqual([12, 8]);
    expect(events).toContainEqual({ kind: 'resume', epoch: 1, step: 0 });

    // The same as a run that took the first epoch whole and the others in such parts.
    const own = await openGpu();
    const model = noiseClassifier(own, 'resnet18', 32, 4);
    const checkpoint = memoryStore();
    const abort = new AbortController();
    await fineTune(model, noise(32, 36), { ...options, epochs: 3, checkpoint, signal: abort.signal, onProgress: (event) => void (event.kind === 'epoch' && abort.abort()) });
    const first = await parseCheckpoint(checkpoint.saves[0]);
    checkpoint.saves.push(serializeCheckpoint({ ...first, microBatch: 8 }));
    const again = noiseClassifier(own, 'resnet18', 32, 4);
    await fineTune(again, noise(32, 36), { ...options, epochs: 3, checkpoint, resume: true });
    expect(differing(state, await again.network.stateDict())).toEqual([]);
    own.destroy();
  });

  it('before the first snapshot begins anew, with smaller parts', async () => {
    const { state, notes } = await short({}, 2);
    expect(notes).toEqual(['The GPU ran out of memory with 12 images at a time; going on from the start, with 8 at a time.']);
    const plain = await short({ microBatch: 8 }, 0);
    expect(differing(plain.state, state)).toEqual([]);
  });

  it('while a function is captured is looked for once more, with what lies unused given back', async () => {
    const own = await openGpu();
    const x = Tensor.fromArray(own, [1 << 16], new Float32Array(1 << 16).fill(2));
    const unused = Tensor.empty(own, [1 << 20]);
    void unused.storage.buffer;
    unused.dispose();
    expect(own.memory().allocatedBytes).toBe(own.memory().liveBytes + LARGE);
    let asked = 0;
    refuseBuffers(own, (bytes) => bytes === 1 << 18 && asked++ === 0);
    const captured = await capture(own, () => add(add(x, x), x));
    expect(asked).toBe(4); // a temporary and the result, twice
    expect((await captured.replay().toArray())[7]).toBe(6);
    expect(own.memory().allocatedBytes).toBe(own.memory().liveBytes);
    own.destroy();
  });

  it('for other work between steps is that work\'s, and training knows nothing of it', async () => {
    const own = await openGpu();
    const model = noiseClassifier(own, 'resnet18', 32, 4);
    refuseBuffers(own, (bytes) => bytes === LARGE);
    let failed = 0;
    const notes: string[] = [];
    await fineTune(model, noise(32, 36), {
      ...options,
      onProgress: (event) => void (event.kind === 'note' && notes.push(event.message)),
      betweenSteps: async () => {
        await Tensor.fromArray(own, [LARGE / 4], new Float32Array(LARGE / 4)).toArray().catch((error: unknown) => {
          expect(error).toBeInstanceOf(OutOfMemoryError);
          failed++;
        });
      },
    });
    expect(failed).toBeGreaterThan(3);
    expect(notes).toEqual([]);
    own.destroy();
  });

  it('is an error when nothing smaller is left', async () => {
    const own = await openGpu();
    const model = noiseClassifier(own, 'resnet18', 48);
    limitMemory(own, 1000);
    await expect(fineTune(model, noise(48, 36), options)).rejects.toThrow(OutOfMemoryError);
    own.destroy();
  });
});

describe('in words', () => {
  const memory: MemoryUse = { microBatch: 8, recompute: false, budget: 512 * 2 ** 20, estimate: 431 * 2 ** 20 };
  it.each([
    [32, {}, 'batch 32 as 4 x 8 to stay within 512 MB, estimated 431 MB'],
    [30, { budget: null }, 'batch 30 in parts of 8, estimated 431 MB'],
    [8, { recompute: true }, 'batch 8, blocks recomputed, to stay within 512 MB, estimated 431 MB'],
    [8, { recompute: ['layer1'], budget: null }, 'batch 8, 1 part recomputed, estimated 431 MB'],
  ] as const)('batch %i, %j', (batchSize, change, words) => {
    expect(memoryPhrase(batchSize, { ...memory, ...change })).toBe(words);
  });
  it('an amount of memory has a unit', () => {
    const parse = memorySize('--memory');
    expect(['512MB', '1.5 GB', '300m', '2GiB'].map(parse)).toEqual([512 * 2 ** 20, 1.5 * 2 ** 30, 300 * 2 ** 20, 2 * 2 ** 30]);
    for (const text of ['512', '', 'MB', '0MB', '-1GB', '1e3MB']) expect(() => parse(text)).toThrow(/--memory takes an amount of memory with its unit, such as 512MB or 2GB/);
  });
});
