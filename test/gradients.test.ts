/** Every op's backward against central differences of its own forward, and what the graph records, adds up and leaves out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../src/autograd/backward';
import { noGrad } from '../src/autograd/op';
import { conv2d } from '../src/autograd/ops/conv';
import { add, dropout, gelu, mul, relu, sigmoid, tanh } from '../src/autograd/ops/elementwise';
import { linear, matmul } from '../src/autograd/ops/linear';
import { crossEntropy, logSoftmax, mseLoss, softmax } from '../src/autograd/ops/loss';
import { batchNorm, layerNorm } from '../src/autograd/ops/norm';
import { adaptiveAvgPool2d, avgPool2d, maxPool2d } from '../src/autograd/ops/pool';
import { cat, flatten, mean, reshape, sum } from '../src/autograd/ops/shape';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { sizeOf } from '../src/hostTensor';
import { Optimizer } from '../src/optim/optimizer';
import { Parameter } from '../src/layers/module';
import { Tensor, keep, scope } from '../src/tensor';
import { expectNear, numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

interface Case {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly op: (inputs: Tensor[]) => Tensor;
  /** Values of input `i`; away from kinks where an op has some. Default: uniform in [-1, 1). */
  readonly values?: (count: number, i: number) => Float32Array;
  /** Distance of the two points of a difference. Default 1/64. */
  readonly step?: number;
}

/** No two within 0.03 of each other, so that no maximum changes hands; none near 0. */
const apart = (count: number): Float32Array => {
  const order = Array.from(numbers(count, 5).entries()).sort((a, b) => a[1] - b[1]);
  const out = new Float32Array(count);
  order.forEach(([at], rank) => { out[at] = 0.04 * (rank - count / 2 + 0.5); });
  return out;
};
const offZero = (count: number, i: number): Float32Array => numbers(count, 11 + i).map((v) => v + 0.1 * Math.sign(v));

const window = { kernelSize: [3, 2], stride: [2, 1], padding: [1, 1] } as const;
const bn = (normaliseBy: 'batch' | 'running', relu = false) => ([x, weight, bias, residual]: Tensor[]): Tensor => {
  const channels = weight.size;
  const running = { mean: Tensor.fromArray(gpu, [channels], numbers(channels, 41)), var: Tensor.fromArray(gpu, [channels], numbers(channels, 42).map((v) => 1.2 + v)) };
  return batchNorm(x, weight, bias, { running, normaliseBy, update: false, momentum: 0.1, eps: 1e-5 }, { residual, relu });
};
/** Outputs far from the kink, of both signs: small weights, large biases (input 2) and residuals (input 3). */
const offKink = (count: number, i: number): Float32Array => numbers(count, 3 + i).map((v, at) => (i === 0 ? v : i === 1 ? 0.1 * v : v + (i === 2 ? 1.5 : 4) * (at % 2 ? 1 : -1)));
const labels = (): Tensor => Tensor.fromArray(gpu, [4], Int32Array.of(2, 0, 6, 2));

const CASES: readonly Case[] = [
  { name: 'conv2d', shapes: [[2, 5, 4, 3], [3, 3, 3, 5], [5]], op: ([x, w, b]) => conv2d(x, w, b, { padding: [1, 1] }) },
  { name: 'conv2d, strides, dilation, groups', shapes: [[1, 9, 8, 6], [2, 3, 3, 4]], op: ([x, w]) => conv2d(x, w, undefined, { stride: [2, 3], padding: [0, 2], dilation: [2, 1], groups: 2 }) },
  { name: 'conv2d, depthwise', shapes: [[2, 4, 5, 4], [3, 3, 1, 4]], op: ([x, w]) => conv2d(x, w, undefined, { padding: [1, 1], groups: 4 }) },
  { name: 'conv2d, 1x1, stride 2', shapes: [[1, 5, 5, 8], [1, 1, 8, 12]], op: ([x, w]) => conv2d(x, w, undefined, { stride: [2, 2] }) },
  { name: 'matmul', shapes: [[7, 5], [5, 9]], op: ([a, b]) => matmul(a, b) },
  { name: 'matmul, batched', shapes: [[2, 3, 4, 5], [2, 3, 5, 2]], op: ([a, b]) => matmul(a, b) },
  { name: 'linear', shapes: [[3, 7], [5, 7], [5]], op: ([x, w, b]) => linear(x, w, b) },
  { name: 'linear, many axes', shapes: [[2, 3, 2, 7], [4, 7], [4]], op: ([x, w, b]) => linear(x, w, b) },
  { name: 'linear, a vector', shapes: [[7], [5, 7]], op: ([x, w]) => linear(x, w) },
  { name: 'relu', shapes: [[3, 5, 7]], op: ([x]) => relu(x), values: offZero },
  { name: 'sigmoid', shapes: [[3, 7]], op: ([x]) => sigmoid(x) },
  { name: 'tanh', shapes: [[3, 7]], op: ([x]) => tanh(x) },
  { name: 'gelu', shapes: [[3, 7]], op: ([x]) => gelu(x) },
  { name: 'add, same shape', shapes: [[3, 5], [3, 5]], op: ([a, b]) => add(a, b) },
  { name: 'add, both sides broadcast', shapes: [[3, 1, 5], [4, 1]], op: ([a, b]) => add(a, b) },
  { name: 'mul, same shape', shapes: [[3, 5], [3, 5]], op: ([a, b]) => mul(a, b) },
  { name: 'mul, channels', shapes: [[2, 3, 2, 5], [5]], op: ([a, b]) => mul(a, b) },
  { name: 'mul, squeeze and excite', shapes: [[2, 3, 2, 5], [2, 1, 1, 5]], op: ([a, b]) => mul(a, b) },
  { name: 'mul, the first smaller', shapes: [[5], [2, 3, 5]], op: ([a, b]) => mul(a, b) },
  { name: 'mul, both sides broadcast, six axes', shapes: [[2, 1, 3, 1, 2, 1], [1, 2, 1, 2, 1, 3]], op: ([a, b]) => mul(a, b) },
  { name: 'mul, a scalar', shapes: [[], [2, 3]], op: ([a, b]) => mul(a, b) },
  { name: 'dropout', shapes: [[4, 9]], op: ([x]) => dropout(x, 0.4, 77) },
  { name: 'softmax', shapes: [[2, 4, 3]], op: ([x]) => softmax(x, 1) },
  { name: 'log_softmax', shapes: [[2, 4, 3]], op: ([x]) => logSoftmax(x, -1) },
  { name: 'cross_entropy', shapes: [[4, 7]], op: ([x]) => crossEntropy(x, labels()) },
  { name: 'cross_entropy, smoothed', shapes: [[4, 7]], op: ([x]) => crossEntropy(x, labels(), { labelSmoothing: 0.2 }) },
  { name: 'mse_loss', shapes: [[3, 5], [3, 5]], op: ([x, y]) => mseLoss(x, y) },
  { name: 'batch_norm by the batch', shapes: [[3, 2, 3, 5], [5], [5]], op: bn('batch') },
  { name: 'batch_norm by running statistics', shapes: [[3, 2, 3, 5], [5], [5]], op: bn('running') },
  { name: 'batch_norm and ReLU', shapes: [[3, 2, 3, 8], [8], [8]], op: bn('batch', true), values: offKink },
  { name: 'batch_norm and ReLU by running statistics', shapes: [[3, 2, 3, 5], [5], [5]], op: bn('running', true), values: offKink },
  { name: 'batch_norm, residual and ReLU', shapes: [[3, 2, 3, 5], [5], [5], [3, 2, 3, 5]], op: bn('batch', true), values: offKink },
  { name: 'batch_norm, residual and ReLU, used twice', shapes: [[3, 2, 3, 8], [8], [8], [3, 2, 3, 8]], op: (all) => { const y = bn('batch', true)(all); return add(mul(y, sigmoid(y)), y); }, values: offKink },
  { name: 'batch_norm, residual and ReLU by running statistics, used twice', shapes: [[3, 2, 3, 4], [4], [4], [3, 2, 3, 4]], op: (all) => { const y = bn('running', true)(all); return mul(y, y); }, values: offKink },
  { name: 'layer_norm', shapes: [[3, 2, 7], [7], [7]], op: ([x, w, b]) => layerNorm(x, w, b) },
  { name: 'layer_norm, a vector', shapes: [[7], [7], [7]], op: ([x, w, b]) => layerNorm(x, w, b) },
  { name: 'max_pool2d', shapes: [[2, 5, 4, 3]], op: ([x]) => maxPool2d(x, window), values: apart },
  { name: 'max_pool2d, four channels at once', shapes: [[2, 7, 6, 8]], op: ([x]) => maxPool2d(x, { kernelSize: [3, 3], stride: [2, 2], padding: [1, 1] }), values: apart },
  { name: 'max_pool2d, a window of more than 256 places', shapes: [[1, 19, 18, 4]], op: ([x]) => maxPool2d(x, { kernelSize: [17, 16], stride: [1, 1], padding: [2, 3] }), values: apart },
  { name: 'max_pool2d, gaps between windows', shapes: [[2, 8, 7, 4]], op: ([x]) => maxPool2d(x, { kernelSize: [2, 1], stride: [3, 3], padding: [0, 0] }), values: apart },
  { name: 'adaptive_avg_pool2d, four channels at once', shapes: [[2, 5, 7, 4]], op: ([x]) => adaptiveAvgPool2d(x, [3, 9]) },
  { name: 'avg_pool2d, four channels at once', shapes: [[2, 5, 4, 4]], op: ([x]) => avgPool2d(x, window) },
  { name: 'avg_pool2d', shapes: [[2, 5, 4, 3]], op: ([x]) => avgPool2d(x, window) },
  { name: 'avg_pool2d, padding not counted, ceil mode', shapes: [[1, 6, 5, 3]], op: ([x]) => avgPool2d(x, { ...window, stride: [2, 2], countIncludePad: false, ceilMode: true }) },
  { name: 'adaptive_avg_pool2d', shapes: [[2, 5, 7, 3]], op: ([x]) => adaptiveAvgPool2d(x, [3, 2]) },
  { name: 'cat', shapes: [[2, 3, 4], [2, 1, 4], [2, 2, 4]], op: (all) => cat(all, 1) },
  { name: 'sum', shapes: [[3, 4, 5]], op: ([x]) => sum(x, [0, 2]) },
  { name: 'mean', shapes: [[3, 4, 5]], op: ([x]) => mean(x, [1], true) },
  { name: 'mean of all', shapes: [[3, 4, 5]], op: ([x]) => mean(x) },
  { name: 'reshape and flatten', shapes: [[2, 3, 4]], op: ([x]) => mul(flatten(x), reshape(x, [2, 12])) },
  { name: 'one tensor twice', shapes: [[3, 4]], op: ([x]) => add(mul(x, x), x) },
  { name: 'a residual', shapes: [[1, 4, 4, 4], [3, 3, 4, 4]], op: ([x, w]) => add(gelu(conv2d(x, w, undefined, { padding: [1, 1] })), x) },
  { name: 'a diamond', shapes: [[3, 5], [5]], op: ([x, b]) => { const y = add(x, b); return mul(sigmoid(y), add(tanh(y), y)); } },
  { name: 'sums of sums that share gradients', shapes: [[3, 5], [3, 5], [3, 5]], op: ([a, b, c]) => { const y = add(a, b); return add(add(y, c), reshape(y, [3, 5])); } },
];

/** The most elements of one input that are differenced. */
const MOST = 16;

describe('backward agrees with differences of the forward', () => {
  for (const { name, shapes, op, values = (count: number, i: number) => numbers(count, 3 + i), step = 1 / 64 } of CASES) {
    it(name, async () => {
      const data = shapes.map((shape, i) => values(sizeOf(shape), i));
      const forward = async (changed: Float32Array[]): Promise<Float32Array> => {
        const out = scope(gpu, () => noGrad(() => op(changed.map((array, i) => Tensor.fromArray(gpu, shapes[i], array)))));
        const array = (await out.toArray()) as Float32Array;
        out.dispose();
        return array;
      };
      const leaves = data.map((array, i) => Tensor.fromArray(gpu, shapes[i], array));
      for (const leaf of leaves) leaf.requiresGrad = true;
      const output = op(leaves);
      const seed = numbers(output.size, 99);
      backward(output, Tensor.fromArray(gpu, output.shape, seed));

      for (const [i, leaf] of leaves.entries()) {
        const got = (await (leaf.grad as Tensor).toArray()) as Float32Array;
        expect(leaf.grad?.shape).toEqual(shapes[i]);
        const largest = got.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-3);
        const stride = Math.max(1, Math.floor(got.length / MOST));
        for (let at = 0; at < got.length; at += stride) {
          const moved = (by: number): Float32Array[] => data.map((array, j) => (i === j ? array.map((v, k) => (k === at ? v + by : v)) : array));
          const [above, below] = [await forward(moved(step / 2)), await forward(moved(-step / 2))];
          const slope = above.reduce((total, v, k) => total + (v - below[k]) * seed[k], 0) / step;
          expect(Math.abs(got[at] - slope) / largest, `input ${i}, element ${at}: ${got[at]}, by differences ${slope}`).toBeLessThan(2e-3);
        }
      }
    });
  }
});

/** A leaf that wants a gradient. */
function leaf(shape: readonly number[], seed: number): Tensor {
  const tensor = Tensor.fromArray(gpu, shape, numbers(sizeOf(shape), seed));
  tensor.requiresGrad = true;
  return tensor;
}

async function read(tensor: Tensor | undefined): Promise<number[]> {
  if (!tensor) throw new Error('no gradient');
  return Array.from(await tensor.toArray());
}

describe('the graph', () => {
  it('adds up gradients of two backwards', async () => {
    const x = leaf([4], 1);
    backward(sum(mul(x, x)));
    const once = await read(x.grad);
    backward(sum(mul(x, x)));
    expectNear(await read(x.grad), once.map((v) => 2 * v));
  });
  it('gives each leaf a gradient of its own, whatever shared it on the way', async () => {
    const [a, b] = [leaf([3], 1), leaf([3], 2)];
    const dy = Tensor.fromArray(gpu, [3], [1, 2, 3]);
    backward(add(a, b), dy);
    expect(new Set([a.grad?.storage, b.grad?.storage, dy.storage]).size).toBe(3);
    a.grad?.dispose();
    expect(await read(b.grad)).toEqual([1, 2, 3]);
    expect(await read(dy)).toEqual([1, 2, 3]);
  });
  it('leaves the caller\'s gradient alone behind a view', async () => {
    const x = leaf([2, 3], 1);
    const dy = Tensor.fromArray(gpu, [6], [1, 2, 3, 4, 5, 6]);
    backward(reshape(relu(x), [6]), dy);
    expect(await read(dy)).toEqual([1, 2, 3, 4, 5, 6]);
  });
  it('keeps a leaf\'s gradient when the same memory went on to other ops', async () => {
    const [x, b] = [leaf([3], 1), leaf([3], 2)];
    backward(sum(mul(add(sigmoid(x), b), Tensor.fromArray(gpu, [3], [1, 2, 3]))));
    expect(await read(b.grad)).toEqual([1, 2, 3]);
  });
  it('records nothing where nothing is trained', () => {
    const x = Tensor.fromArray(gpu, [2], [1, 2]);
    expect(mul(relu(x), x).node).toBeUndefined();
  });
  it('records nothing in noGrad, also after it threw', () => {
    const x = leaf([2], 1);
    expect(noGrad(() => relu(x)).node).toBeUndefined();
    expect(() => noGrad(() => { throw new Error('x'); })).toThrow('x');
    expect(relu(x).node).toBeDefined();
  });
  it('computes gradients only where a trained tensor lies upstream', async () => {
    const x = Tensor.fromArray(gpu, [1, 6, 6, 4], numbers(144, 1));
    const frozen = Tensor.fromArray(gpu, [3, 3, 4, 4], numbers(144, 2));
    const trained = leaf([3, 3, 4, 4], 3);
    const below = relu(conv2d(x, frozen, undefined, { padding: [1, 1] }));
    expect(below.node).toBeUndefined();
    const loss = sum(conv2d(below, trained));
    const names = (await launched(() => backward(loss))).filter((name) => name.startsWith('conv2d'));
    // The weight's gradient, and no input gradient, of the trained convolution; nothing of the frozen one.
    expect(new Set(names)).toEqual(new Set(['conv2d_weight']));
    expect(x.grad).toBeUndefined();
    expect(frozen.grad).toBeUndefined();
    expect(trained.grad).toBeDefined();
  });
  it('goes through a frozen layer to a trained one below', async () => {
    const [w1, w2] = [leaf([3, 3], 1), Tensor.fromArray(gpu, [3, 3], numbers(9, 2))];
    backward(sum(linear(linear(Tensor.fromArray(gpu, [1, 3], [1, 2, 3]), w1), w2)));
    expect(w2.grad).toBeUndefined();
    expect((await read(w1.grad)).some((v) => v !== 0)).toBe(true);
  });
  it('says what is missing', () => {
    const x = Tensor.fromArray(gpu, [2], [1, 2]);
    expect(() => backward(relu(x))).toThrow(/depends on no parameter that requires a gradient/);
    expect(() => backward(relu(leaf([2], 1)))).toThrow(/only a scalar starts at 1/);
    expect(() => backward(relu(leaf([2], 1)), Tensor.fromArray(gpu, [3], [1, 2, 3]))).toThrow(/\[3\] does not have the output's shape \[2\]/);
  });
  it('refuses integers, whose bits are other numbers, and windows that are not whole', () => {
    const x = Tensor.fromArray(gpu, [2], Float32Array.of(1, 2));
    expect(() => add(x, Tensor.fromArray(gpu, [2], Int32Array.of(1, 2)))).toThrow(/add: its inputs are real numbers, got integers/);
    const image = Tensor.fromArray(gpu, [1, 2, 2, 1], [1, 2, 3, 4]);
    expect(() => maxPool2d(image, { kernelSize: [3, 3], stride: [2, 2], padding: [1.5, 1] })).toThrow(/padding 1\.5: they must be whole/);
  });
  it('gives all memory back at the end of a scope', () => {
    const w = keep(leaf([8, 8], 1));
    const before = gpu.memory().liveBuffers;
    scope(gpu, () => {
      const y = linear(Tensor.fromArray(gpu, [4, 8], numbers(32, 2)), w);
      backward(sum(add(mul(y, y), y)));
    });
    w.grad = undefined;
    expect(gpu.memory().liveBuffers).toBe(before);
  });
});

/** Names of the kernels that `fn` launches. */
async function launched(fn: () => void): Promise<string[]> {
  const names: string[] = [];
  const original = gpu.dispatch.bind(gpu);
  gpu.dispatch = (kernel, ...rest) => {
    names.push(kernel.name);
    original(kernel, ...rest);
  };
  try {
    fn();
    await gpu.sync();
  } finally {
    Reflect.deleteProperty(gpu, 'dispatch');
  }
  return names;
}

describe('clipGradNorm', () => {
  const clipped = async (maxNorm: number): Promise<{ norm: number; grads: number[][] }> => {
    const parameters = [[3, 4], [5]].map((shape, i) => new Parameter(Tensor.fromArray(gpu, shape, numbers(sizeOf(shape), i))));
    const optimizer = new Optimizer(parameters.map((p, i) => [String(i), p]), { name: 'sgd', lr: 1 });
    parameters.forEach((p, i) => { p.grad = Tensor.fromArray(gpu, p.shape, numbers(p.size, 50 + i)); });
    optimizer.clipGradNorm(maxNorm);
    const grads = [await read(parameters[0].grad), await read(parameters[1].grad)];
    return { norm: Math.hypot(...grads.flat()), grads };
  };
  it('scales all gradients by one factor', async () => {
    const { norm, grads } = await clipped(0.5);
    expect(norm).toBeCloseTo(0.5, 4);
    const original = [...numbers(12, 50), ...numbers(5, 51)];
    const factor = 0.5 / Math.hypot(...original);
    expectNear(grads.flat(), original.map((v) => v * factor));
  });
  it('leaves small ones alone', async () => {
    expect((await clipped(100)).grads.flat()).toEqual([...numbers(12, 50), ...numbers(5, 51)]);
  });
});

describe('dropout', () => {
  const COUNT = 200_000;
  const ones = (): Tensor => Tensor.fromArray(gpu, [COUNT], new Float32Array(COUNT).fill(1));
  it('drops the share asked for and scales the rest', async () => {
    for (const p of [0.1, 0.5, 0.9]) {
      const out = await read(dropout(ones(), p, 1234));
      const kept = out.filter((v) => v !== 0);
      // Five standard deviations.
      expect(Math.abs(kept.length / COUNT - (1 - p))).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / COUNT));
      expect(new Set(kept)).toEqual(new Set([Math.fround(1 / (1 - p))]));
    }
  });
  it('is a function of the seed', async () => {
    const [a, b, c] = [await read(dropout(ones(), 0.5, 1)), await read(dropout(ones(), 0.5, 1)), await read(dropout(ones(), 0.5, 2))];
    expect(a).toEqual(b);
    const agree = a.filter((v, i) => v === c[i]).length / COUNT;
    expect(Math.abs(agree - 0.5)).toBeLessThan(0.01);
  });
  it('has neighbours that do not depend on each other', async () => {
    const out = await read(dropout(ones(), 0.5, 9));
    for (const lag of [1, 2, 64, 1024]) {
      const agree = out.slice(lag).filter((v, i) => v === out[i]).length / (COUNT - lag);
      expect(Math.abs(agree - 0.5), `lag ${lag}`).toBeLessThan(0.01);
    }
  });
  it('passes everything on when p is 0, and refuses p outside [0, 1)', () => {
    const x = ones();
    expect(dropout(x, 0, 1)).toBe(x);
    for (const p of [-0.1, 1, NaN]) expect(() => dropout(x, p, 1)).toThrow(/p must be/);
  });
});
