/**
 * f16: storage, conversion, and the families that take it, against sums in double precision of the rounded operands.
 * Skipped, by name, where the adapter has no shader-f16.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backward } from '../src/autograd/backward';
import { noGrad } from '../src/autograd/op';
import { relu } from '../src/autograd/ops/elementwise';
import { conv2d } from '../src/autograd/ops/conv';
import { linear, matmul } from '../src/autograd/ops/linear';
import { cast, sum } from '../src/autograd/ops/shape';
import { DeviceError, DtypeError } from '../src/errors';
import { openGpu } from '../src/gpu/device';
import { Gpu } from '../src/gpu/gpu';
import { f32, floatToHalf, fromHalves, halfToFloat, toFloat32, toHalves } from '../src/hostTensor';
import { conv2d as conv2dKernel, conv2dFamily, conv2dInputFamily, conv2dWeightFamily, type ConvShape } from '../src/kernels/conv2d/conv2d';
import type { Epilogue } from '../src/kernels/products/epilogue';
import { matmulFamily, type MatmulShape } from '../src/kernels/matmul/matmul';
import { Tensor } from '../src/tensor';
import { exactOf } from '../src/tune/exact';
import { problemOf, type AnyFamily } from '../src/tune/problems';
import { tune } from '../src/tune/tuner';
import { createModel } from '../src/models/resnet';
import { classifierFrom, parseModelCard, randomClassifier, type Classifier } from '../src/transfer/classifier';
import { fineTune } from '../src/transfer/fineTune';
import { estimateMemory } from '../src/transfer/memory';
import { applyPlan } from '../src/transfer/plan';
import { applyPrecision, assertPrecision } from '../src/transfer/precision';
import type { ProgressEvent } from '../src/transfer/types';
import { bytesSource } from '../src/weights/byteSource';
import { openWeights } from '../src/weights/open';
import type { WeightsFile } from '../src/weights/weightsFile';
import { numbers } from './support/numbers';
import { CLASSES, collection, memoryStore, preprocessing, stripesClassifier } from './support/stripes';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());
beforeEach(({ skip }) => skip(!gpu.device.features.has('shader-f16'), 'the adapter has no shader-f16'));

/** Zeros, the ends of the range on both sides, subnormals, ties, and what is not finite. */
const SPECIAL = [0, -0, 1, -1, 65504, -65504, 65519, 65520, 1e6, -1e6, 6.2e-5, 5.9e-8, 2.9e-8, -1e-9, 1 + 2 ** -11, 1 + 3 * 2 ** -11, Infinity, -Infinity, NaN];
const VALUES = Float32Array.from([...SPECIAL, ...numbers(1000, 1).map((v, i) => v * 2 ** ((i % 30) - 15))]);

/** Each value as the nearest that f16 has. */
const rounded = (values: ArrayLike<number>): Float32Array => fromHalves(toHalves(values));

/** Within a rounding to f16 and what sums in f32 lose; NaN and infinities in the same places. */
function expectHalves(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  const largest = Array.from(expected).reduce((a, b) => (Number.isFinite(b) ? Math.max(a, Math.abs(b)) : a), 0);
  for (let i = 0; i < expected.length; i++) {
    const [got, want] = [actual[i], expected[i]];
    const right = Number.isFinite(want) ? Math.abs(got - want) <= 2 ** -11 * Math.abs(want) + 2e-5 * largest : Object.is(got, want);
    if (!right) expect.fail(`[${i}] is ${got}, not ${want}`);
  }
}

describe('tensors of f16', () => {
  it('round to nearest even on upload and come back as they were kept, in half the memory', async () => {
    const before = gpu.memory().liveBytes;
    const x = Tensor.fromArray(gpu, [VALUES.length], VALUES, 'f16');
    expect(gpu.memory().liveBytes - before).toBe(Math.ceil((2 * VALUES.length) / 16) * 16);
    expect(await x.toArray()).toEqual(rounded(VALUES));
    const host = await x.toHost();
    expect(host.dtype).toBe('F16');
    expect(host.data).toEqual(toHalves(VALUES));
    x.write(VALUES.map((v) => v / 2));
    expect(await x.toArray()).toEqual(rounded(VALUES.map((v) => v / 2)));
    x.dispose();
  });

  it('are filled from F16 host tensors bit by bit, in the layout asked for', async () => {
    const host = { dtype: 'F16', shape: [2, 3, 2, 2], data: toHalves(numbers(24, 3)) } as const;
    const weight = Tensor.fromHost(gpu, host, 'conv', 'f16');
    expect(weight.shape).toEqual([2, 2, 3, 2]);
    expect(await weight.toHost('conv')).toEqual(host);
    weight.assign(f32([2, 3, 2, 2], numbers(24, 4)), 'conv');
    expect((await weight.toHost('conv')).data).toEqual(toHalves(numbers(24, 4)));
    expect(() => weight.assign(f32([2, 3, 2, 2], numbers(24, 4).fill(7e4, 5, 6)), 'conv')).toThrow(/assign: 70000 \(element 5\) is too large for f16/);
  });

  it('refuse integers, and name the feature where the adapter lacks it', () => {
    const x = Tensor.empty(gpu, [2], 'f16');
    expect(() => x.write(new Int32Array(2))).toThrow(DtypeError);
    const features = new Set([...gpu.device.features].filter((name) => name !== 'shader-f16'));
    const lacking = Object.create(gpu, { device: { value: Object.create(gpu.device, { features: { value: features } }) } }) as Gpu;
    expect(() => Tensor.empty(lacking, [2], 'f16')).toThrow(DeviceError);
    expect(() => Tensor.empty(lacking, [2], 'f16')).toThrow(/shader-f16.*use f32/);
  });
});

describe('cast', () => {
  it('rounds as an upload does, and widens exactly', async () => {
    const x = Tensor.fromArray(gpu, [VALUES.length], VALUES);
    const half = cast(x, 'f16');
    const got = (await half.toArray()) as Float32Array;
    const want = rounded(VALUES);
    for (let i = 0; i < want.length; i++) if (!Object.is(got[i], want[i])) expect.fail(`${VALUES[i]} became ${got[i]}, not ${want[i]}`);
    expect(await cast(half, 'f32').toArray()).toEqual(want);
    expect(cast(x, 'f32')).toBe(x);
    expect(() => cast(Tensor.fromArray(gpu, [1], Int32Array.of(1)), 'f16')).toThrow(DtypeError);
  });

  it('passes gradients on, in the type of what it was given', async () => {
    const x = Tensor.fromArray(gpu, [5], numbers(5, 2));
    x.requiresGrad = true;
    backward(sum(cast(cast(x, 'f16'), 'f32')));
    expect(x.grad?.dtype).toBe('f32');
    expect(await x.grad?.toArray()).toEqual(new Float32Array(5).fill(1));
  });
});

function product(m: number, n: number, k: number, transposes = 0, batch = 1): MatmulShape {
  return { batch, m, n, k, transposeA: transposes % 2 === 1, transposeB: transposes > 1, dtype: 'f16' };
}

function conv(x: readonly number[], weight: readonly number[], stride = 1, padding = 0, groups = 1, dilation = 1): ConvShape {
  return { x, weight, options: { stride: [stride, stride], padding: [padding, padding], dilation: [dilation, dilation], groups }, dtype: 'f16' };
}

const PRODUCTS = [product(1, 1, 1), product(25, 68, 12), product(17, 61, 7), product(9, 1, 37, 1), product(23, 60, 13, 3), product(24, 64, 18, 2, 2), product(16, 5, 300, 2)];
const CONVS = [
  conv([1, 13, 11, 3], [7, 7, 3, 17], 2, 3),
  conv([2, 5, 7, 8], [3, 3, 8, 12], 1, 1),
  conv([3, 3, 5, 5], [3, 3, 5, 7], 1, 1),
  conv([2, 5, 5, 16], [1, 1, 16, 64]),
  conv([1, 9, 10, 4], [3, 3, 4, 8], 2, 1, 1, 2),
  conv([1, 6, 7, 24], [3, 3, 12, 24], 1, 1, 2),
];

const SUITES = [
  [matmulFamily, PRODUCTS, true],
  [conv2dFamily, CONVS, true],
  [conv2dInputFamily, CONVS, false],
  [conv2dWeightFamily, CONVS, false],
] as unknown as readonly (readonly [AnyFamily, readonly unknown[], boolean])[];

describe.each(SUITES.map(([family, shapes, epilogue]) => ({ name: family.name, family, shapes, epilogue })))('$name', ({ family, shapes, epilogue: takes }) => {
  it.each(shapes.map((shape) => [family.classOf(shape), shape] as const))('computes %s with each algorithm', async (key, shape) => {
    expect(key).toMatch(/ f16$/);
    let seed = 0;
    const operands = family.operands(gpu, shape, (count) => numbers(count, ++seed)) as unknown as Readonly<Record<string, Tensor>>;
    const { out } = operands;
    const host: Record<string, Float32Array> = {};
    for (const [name, tensor] of Object.entries(operands)) if (name !== 'out') host[name] = (await tensor.toArray()) as Float32Array;
    const exact = exactOf(family.name, shape, host);
    const expected = Float64Array.from({ length: out.size }, (_, i) => exact?.(i) ?? NaN);
    const columns = out.shape[out.shape.length - 1];
    const [scale, bias, residual] = [numbers(columns, 11), numbers(columns, 12), numbers(out.size, 13)];
    const epilogue: Epilogue = takes
      ? { scale: Tensor.fromArray(gpu, [columns], scale), bias: Tensor.fromArray(gpu, [columns], bias), residual: Tensor.fromArray(gpu, out.shape, residual, 'f16'), relu: true }
      : {};
    const kept = rounded(residual);
    const finished = takes ? expected.map((v, i) => Math.max(0, v * scale[i % columns] + bias[i % columns] + kept[i])) : expected;
    const candidates = family.candidates(gpu, shape);
    // Tilings differ in f16 as they do in f32, which test/candidates.test.ts goes through; here one with and one without lanes.
    const kinds = new Map([...candidates].reverse().map((candidate) => [candidate.id.replace(/ c\d.*/, ''), candidate]));
    const few = [...kinds.values()];
    await gpu.precompile(() => few.forEach((candidate) => candidate.run(operands as never)));
    for (const candidate of few) {
      gpu.scope(() => candidate.run({ ...operands, ...epilogue } as never), () => []);
      const values = (await out.toArray()) as Float32Array;
      try {
        expectHalves(values, finished);
      } catch (error) {
        throw new Error(`${candidate.id}: ${(error as Error).message}`, { cause: error });
      }
    }
  });
});

describe('operations in f16', () => {
  const half = (shape: readonly number[], seed: number): Tensor => Tensor.fromArray(gpu, shape, numbers(shape.reduce((a, b) => a * b), seed), 'f16');

  it('sum in f32: terms that f16 would lose are counted', async () => {
    const k = 4096;
    const ones = Tensor.fromArray(gpu, [1, k], new Float32Array(k).fill(1), 'f16');
    const small = Tensor.fromArray(gpu, [k, 1], new Float32Array(k).fill(1 / 2048), 'f16');
    const first = Tensor.fromArray(gpu, [1, 1], [2], 'f16');
    expect(await add(matmul(ones, small), first)).toBe(4);
    async function add(a: Tensor, b: Tensor): Promise<number> {
      return (await a.toArray())[0] + (await b.toArray())[0];
    }
  });

  it('are tuned as problems of their own', async () => {
    const problem = problemOf(matmulFamily, product(5, 12, 7));
    const { results, untuned } = await tune(gpu, [problem]);
    expect(untuned).toEqual([]);
    expect(results.map(({ key }) => key)).toEqual(['matmul NN b1 m5 n12 k7 f16']);
    expect(results[0].excluded).toEqual([]);
  });

  it('overflow to infinity, and keep NaN through ReLU', async () => {
    const x = Tensor.fromArray(gpu, [1, 1, 3, 1], [300, NaN, -300], 'f16');
    const weight = Tensor.fromArray(gpu, [1, 1, 1, 1], [300], 'f16');
    const options = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 } as const;
    expect(await conv2dKernel(x, weight, options, { relu: true }).toArray()).toEqual(Float32Array.of(Infinity, NaN, 0));
  });

  it('name themselves, what they got, and what to do, when types do not fit', () => {
    const [x, weight] = [half([1, 3, 3, 2], 1), half([1, 1, 2, 4], 2)];
    const full = Tensor.fromArray(gpu, [1, 1, 2, 4], numbers(8, 1));
    expect(() => conv2d(x, full)).toThrow(/^conv2d: .*x f16, weight f32.*cast\(x, 'f32'\)/);
    expect(() => conv2d(x, weight, half([4], 3))).toThrow(/^conv2d: the bias must be f32.*got f16/);
    expect(() => matmul(half([2, 2], 1), Tensor.empty(gpu, [2, 2]))).toThrow(/^matmul: .*a f16, b f32/);
    expect(() => linear(half([2, 2], 1), Tensor.empty(gpu, [3, 2]))).toThrow(DtypeError);
    expect(() => relu(x)).toThrow(/^relu: computes in f32 only, got f16; cast/);
    weight.requiresGrad = true;
    expect(() => conv2d(x, weight)).toThrow(/^conv2d: has no gradient in f16/);
    expect(noGrad(() => conv2d(x, weight)).dtype).toBe('f16');
  });

  it('agree with the host about a single number', () => {
    expect([0x3c00, 0x0001, 0x7bff, 0xfc00].map(halfToFloat)).toEqual([1, 2 ** -24, 65504, -Infinity]);
    expect([1, 2 ** -24, 65504, 65520].map(floatToHalf)).toEqual([0x3c00, 0x0001, 0x7bff, 0x7c00]);
  });
});

describe('a network with its trunk in f16', () => {
  const images = (count: number, side: number): Tensor => Tensor.fromArray(gpu, [count, side, side, 3], numbers(count * side * side * 3, 5));

  it.each(['resnet18', 'resnet50'])('of %s gives the logits of f32 within 2 % of the largest, in half the memory', async (name) => {
    const full = createModel(gpu, name, { numClasses: 10, width: 16, seed: 1 });
    const before = gpu.memory().liveBytes;
    const half = createModel(gpu, name, { numClasses: 10, width: 16, seed: 1, dtype: 'f16' });
    const bytes = gpu.memory().liveBytes - before;
    const x = images(2, 64);
    const [want, got] = [full, half].map((network) => gpu.scope(() => noGrad(() => network.eval().forward(x)), (y) => [y.storage]));
    const [a, b] = [(await want.toArray()) as Float32Array, (await got.toArray()) as Float32Array];
    const largest = Math.max(...a.map(Math.abs));
    for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - b[i])).toBeLessThan(0.02 * largest);
    expect(b).not.toEqual(a);
    const weights = full.parameters().reduce((sum, { size }) => sum + 4 * size, 0);
    expect(bytes / weights).toBeLessThan(0.6);
    // Converting the other gives the same bits.
    for (const [, modules] of full.parts()) for (const module of modules) module.to('f16');
    const again = gpu.scope(() => noGrad(() => full.forward(x)), (y) => [y.storage]);
    expect(await again.toArray()).toEqual(b);
    expect(full.conv1.weight.requiresGrad).toBe(false);
    for (const network of [full, half]) network.dispose();
  });
});

describe("precision 'float16'", () => {
  it('keeps and computes the frozen part in f16, trains the rest in f32, and learns as well', async () => {
    const results = [];
    for (const precision of ['float32', 'float16'] as const) {
      const classifier = stripesClassifier(gpu);
      const frozenBefore = await classifier.network.layer1[0].stateDict();
      const result = await fineTune(classifier, collection(), { plan: 'layer4', epochs: 6, batchSize: 8, precision });
      expect(result.recipe.precision).toBe(precision);
      expect(classifier.precision).toBe(precision);
      const state = await classifier.network.stateDict();
      const type = precision === 'float16' ? 'F16' : 'F32';
      expect([...new Set([...state].filter(([name]) => /^layer3.*conv\d.weight/.test(name)).map(([, { dtype }]) => dtype))]).toEqual([type]);
      expect(['layer4.0.conv1.weight', 'fc.weight', 'layer3.0.bn1.weight'].map((name) => state.get(name)?.dtype)).toEqual(['F32', 'F32', 'F32']);
      const [kept, given] = [state.get('layer1.0.conv1.weight'), frozenBefore.get('conv1.weight')];
      if (kept && given) expect(toFloat32(kept)).toEqual(precision === 'float16' ? rounded(toFloat32(given)) : toFloat32(given));
      results.push(result);
      classifier.dispose();
    }
    const [full, half] = results;
    expect(half.validation?.accuracy).toBeGreaterThanOrEqual((full.validation?.accuracy ?? 1) - 0.1);
    expect(half.history[0].trainLoss).toBeCloseTo(full.history[0].trainLoss, 1);
    expect(half.history).not.toEqual(full.history);
  });

  it('is taken from the classifier, gives the same bits again, and goes on from a checkpoint', async () => {
    const options = { plan: 'layer4', epochs: 2, batchSize: 8 } as const;
    const make = (): Classifier => randomClassifier(gpu, 'resnet18', CLASSES, { width: 4, preprocessing, seed: 3, precision: 'float16' });
    const [once, twice] = [make(), make()];
    const store = memoryStore();
    await fineTune(once, collection(), { ...options, checkpoint: store });
    const result = await fineTune(twice, collection(), options);
    expect(result.recipe.precision).toBe('float16');
    expect(await twice.network.stateDict()).toEqual(await once.network.stateDict());
    const [resumed, refused] = [make(), make()];
    const first = memoryStore();
    first.saves.push(store.saves[0]);
    await fineTune(resumed, collection(), { ...options, checkpoint: first, resume: true });
    expect((await resumed.network.stateDict()).get('fc.weight')).toEqual((await once.network.stateDict()).get('fc.weight'));
    await expect(fineTune(refused, collection(), { ...options, precision: 'float32', checkpoint: first, resume: true })).rejects.toThrow(/precision "float16", this run has "float32"/);
    for (const classifier of [once, twice, resumed, refused]) classifier.dispose();
  });

  it('says so where it changes nothing', async () => {
    const classifier = stripesClassifier(gpu);
    const notes: string[] = [];
    const onProgress = (event: ProgressEvent): void => void (event.kind === 'note' && notes.push(event.message));
    const stop = AbortSignal.abort();
    await fineTune(classifier, collection(), { plan: 'full', precision: 'float16', signal: stop, onProgress });
    expect(notes).toEqual(["Every part of the network is trained, so precision 'float16' changes nothing."]);
    classifier.dispose();
  });

  it('survives saving: half the bytes in the file, the same probabilities when loaded in it again', async () => {
    const classifier = randomClassifier(gpu, 'resnet18', CLASSES, { width: 8, preprocessing, seed: 3, precision: 'float16' });
    const files = await classifier.toFiles();
    const full = await randomClassifier(gpu, 'resnet18', CLASSES, { width: 8, preprocessing, seed: 3 }).toFiles();
    expect(files['model.safetensors'].length / full['model.safetensors'].length).toBeLessThan(0.65);
    const open = (): Promise<WeightsFile> => openWeights(bytesSource(files['model.safetensors'], 'model.safetensors'));
    const card = parseModelCard(files['model.json'], 'model.json');
    const again = await classifierFrom(gpu, await open(), { card, name: 'again', precision: 'float16' });
    const wide = await classifierFrom(gpu, await open(), { card, name: 'wide' });
    const images = numbers(2 * 24 * 24 * 3, 4);
    const [a, b, c] = [await classifier.predict(images, 2), await again.predict(images, 2), await wide.predict(images, 2)];
    expect(b).toEqual(a);
    expect([again.precision, wide.precision]).toEqual(['float16', 'float32']);
    for (let i = 0; i < a.length; i++) expect(Math.abs(a[i] - c[i])).toBeLessThan(0.01);
    for (const each of [classifier, again, wide]) each.dispose();
  });

  it('is estimated before it is applied', async () => {
    const classifier = randomClassifier(gpu, 'resnet18', CLASSES, { width: 32, preprocessing });
    const [full, half] = [await estimateMemory(classifier), await estimateMemory(classifier, { precision: 'float16' })];
    expect(half.held).toBeLessThan(full.held);
    expect(half.temporaries).toBeLessThan(full.temporaries);
    expect(classifier.precision).toBe('float32');
    applyPlan(classifier.network, { plan: 'head', bn: 'hold' });
    applyPrecision(classifier.network, 'float16');
    const real = await estimateMemory(classifier);
    expect(Math.abs(real.bytes / half.bytes - 1)).toBeLessThan(0.02);
    classifier.dispose();
  });

  it('is refused by name where it is misspelt or the adapter lacks the feature', async () => {
    const classifier = stripesClassifier(gpu);
    await expect(fineTune(classifier, collection(), { precision: 'float1' as 'float16' })).rejects.toThrow(/no precision is called 'float1'. Did you mean 'float16'/);
    const device = Object.create(gpu.device, { features: { value: new Set() } }) as Gpu['device'];
    const lacking = Object.create(gpu, { device: { value: device } }) as Gpu;
    expect(() => assertPrecision(lacking, 'float16')).toThrow(/precision 'float16' needs the adapter's shader-f16 feature, which .* lacks; use precision 'float32'/);
    classifier.dispose();
  });
});
