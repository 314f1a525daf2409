/** The same work in Node and in a page: what comes back from the device of a dozen fixtures, a forward pass and three training steps. */
import {
  AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Optimizer, Random, ReLU, Sequential, Tensor, backward, bytesSource, createModel,
  crossEntropy, keep, noGrad, openGpu, openWeights, scope, validateFixture, type Gpu,
} from '../../src/index';

export const FIXTURES: readonly RegExp[] = [
  /^conv2d_.*groups/, /^relu/, /^matmul/, /^linear/, /^batch_norm_train/, /^max_pool/, /^avg_pool/,
  /^softmax/, /^cross_entropy/, /^layer_norm/, /^gelu/, /^mean/,
];

/** Bits of float32 numbers by what they are of. */
export type Bits = Record<string, number[]>;

/** `read` gives a fixture's bytes by its name. */
export async function compute(gpu: Gpu, names: readonly string[], read: (name: string) => Promise<Uint8Array>): Promise<Bits> {
  const bits: Bits = {};
  for (const name of names) bits[name] = await readBack(gpu, async () => {
    const { status } = await validateFixture(gpu, openWeights(bytesSource(await read(name), name)), name);
    if (status !== 'pass') throw new Error(`${name}: ${status}`);
  });
  const random = new Random(3);
  const numbers = (count: number): Float32Array => Float32Array.from({ length: count }, () => 2 * random.next() - 1);

  const network = createModel(gpu, 'resnet18', { width: 16, numClasses: 10, seed: 1 }).eval();
  bits['ResNet-18 of width 16, 64 px'] = await readBack(gpu, async () => {
    const logits = scope(gpu, () => noGrad(() => network.forward(Tensor.fromArray(gpu, [1, 64, 64, 3], numbers(64 * 64 * 3)))));
    await logits.toArray();
    logits.dispose();
  });
  network.dispose();

  const first = new Conv2d(gpu, 3, 8, { kernelSize: 3, padding: 1 }, random);
  const last = new Linear(gpu, 16, 3, random);
  const small = new Sequential(
    first, new BatchNorm2d(gpu, 8), new ReLU(), new MaxPool2d(2),
    new Conv2d(gpu, 8, 16, { kernelSize: 3, stride: 2, padding: 1 }, random), new BatchNorm2d(gpu, 16), new ReLU(),
    new AdaptiveAvgPool2d(1), new Flatten(), last,
  );
  const optimizer = new Optimizer(small.namedParameters(), { name: 'adamw', lr: 1e-3 });
  const x = keep(Tensor.fromArray(gpu, [4, 32, 32, 3], numbers(4 * 32 * 32 * 3)));
  const labels = keep(Tensor.fromArray(gpu, [4], Int32Array.of(0, 1, 2, 1)));
  bits['three steps: losses, first and last weights'] = await readBack(gpu, async () => {
    for (let i = 0; i < 3; i++) {
      const loss = scope(gpu, () => {
        const value = crossEntropy(small.forward(x), labels);
        backward(value);
        optimizer.step();
        optimizer.zeroGrad();
        return value;
      });
      await loss.toArray();
      loss.dispose();
    }
    await first.weight.toArray();
    await last.weight.toArray();
  });
  return bits;
}

/** What `work` reads from the device, all of it. */
async function readBack(gpu: Gpu, work: () => Promise<void>): Promise<number[]> {
  const found: number[] = [];
  const read = gpu.read.bind(gpu);
  gpu.read = async (storage, bytes) => {
    const buffer = await read(storage, bytes);
    found.push(...new Uint32Array(buffer));
    return buffer;
  };
  try {
    await work();
  } finally {
    Reflect.deleteProperty(gpu, 'read');
  }
  return found;
}

/** For the page: opens a device of its own. */
async function computeHere(names: readonly string[]): Promise<{ adapter: string; bits: Bits }> {
  const gpu = await openGpu();
  const read = async (name: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(`/test/fixtures/ops/${name}`)).arrayBuffer());
  return { adapter: gpu.adapter.architecture, bits: await compute(gpu, names, read) };
}

if (typeof window !== 'undefined') Object.assign(window, { graftSame: computeHere });
