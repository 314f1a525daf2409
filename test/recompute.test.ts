/** Recomputation: the same bits with and without, less memory, and what a second run must not do twice. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../src/autograd/backward';
import { noGrad } from '../src/autograd/op';
import { add, mul, relu, sigmoid } from '../src/autograd/ops/elementwise';
import { crossEntropy } from '../src/autograd/ops/loss';
import { sum } from '../src/autograd/ops/shape';
import { recompute } from '../src/autograd/recompute';
import { planTrace } from '../src/gpu/capture';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { sizeOf } from '../src/hostTensor';
import { Dropout } from '../src/layers/stateless';
import { createModel, type Recompute } from '../src/models/resnet';
import { Tensor, keep, scope } from '../src/tensor';
import { differing } from './support/stripes';
import { numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

function leaf(shape: readonly number[], seed: number): Tensor {
  const tensor = keep(Tensor.fromArray(gpu, shape, numbers(sizeOf(shape), seed)));
  tensor.requiresGrad = true;
  return tensor;
}

async function read(tensor: Tensor | undefined): Promise<number[]> {
  if (!tensor) throw new Error('no gradient');
  return Array.from(await tensor.toArray());
}

/** Gradients, statistics and the loss of one step; and the most bytes it took. */
async function step(again: Recompute, { name = 'resnet18', freeze = [] as string[], size = 40 } = {}): Promise<{ state: Map<string, Float32Array>; peak: number; loss: number }> {
  const own = await openGpu();
  const network = createModel(own, name, { width: 8, numClasses: 5, seed: 4, recompute: again });
  if (freeze.length > 0) network.freeze(...freeze);
  const x = Tensor.fromArray(own, [6, size, size, 3], numbers(6 * size * size * 3, 1));
  const targets = Tensor.fromArray(own, [6], Int32Array.of(0, 1, 2, 3, 4, 0));
  const before = own.memory().peakBytes;
  const [loss] = scope(own, () => {
    const l = crossEntropy(network.forward(x), targets);
    backward(l);
    return [l, ...network.parameters().flatMap(({ grad }) => (grad ? [grad] : []))];
  });
  const peak = own.memory().peakBytes - before;
  const state = new Map<string, Float32Array>();
  for (const [path, parameter] of network.namedParameters()) if (parameter.grad) state.set(path, (await parameter.grad.toArray()) as Float32Array);
  for (const [path, { data }] of await network.stateDict()) if (/running|num_batches/.test(path)) state.set(path, Float32Array.from(data, Number));
  const value = (await loss.toArray())[0];
  own.destroy();
  return { state, peak, loss: value };
}

describe('ResNet with blocks that run again', () => {
  it.each([
    ['resnet18', [] as string[], true],
    ['resnet18', [], ['layer1', 'layer3.1']],
    ['resnet50', [], true],
    ['resnet18', ['conv1', 'bn1', 'layer1', 'layer2.0.conv1'], true],
  ] as const)('%s with %j frozen, recompute %j: the bits of a step without', async (name, freeze, again) => {
    const plain = await step(false, { name, freeze: [...freeze] });
    const spared = await step(again as Recompute, { name, freeze: [...freeze] });
    expect(spared.loss).toBe(plain.loss);
    expect([...spared.state.keys()]).toEqual([...plain.state.keys()]);
    const wrong = [...plain.state].filter(([path, values]) => values.some((v, i) => !Object.is(v, spared.state.get(path)?.[i]))).map(([path]) => path);
    expect(wrong).toEqual([]);
    expect(plain.state.get('layer4.1.bn2.num_batches_tracked')).toEqual(Float32Array.of(1));
  });

  it('takes less memory', async () => {
    const [plain, spared] = [await step(false, { name: 'resnet50', size: 96 }), await step(true, { name: 'resnet50', size: 96 })];
    expect(spared.peak).toBeLessThan(plain.peak * 0.75);
  });

  it.each([['resnet18', 0.75], ['resnet50', 0.5]] as const)('%s of full size takes less memory when its step is captured', (name, share) => {
    const network = createModel(gpu, name, { numClasses: 10, initialise: false });
    const planned = (again: boolean): number => {
      network.recompute = again;
      const { trace, outputs } = gpu.trace(() => {
        const loss = crossEntropy(network.forward(Tensor.empty(gpu, [8, 224, 224, 3])), Tensor.empty(gpu, [8], 'i32'));
        backward(loss);
        for (const parameter of network.parameters()) parameter.grad = undefined;
        return loss;
      }, ({ storage }) => [storage]);
      return planTrace(trace, outputs).plan.bytes;
    };
    expect(planned(true)).toBeLessThan(planned(false) * share);
    network.dispose();
  });

  it('changes nothing where no gradient flows', async () => {
    const network = createModel(gpu, 'resnet18', { width: 4, numClasses: 3 }).eval();
    const x = Tensor.fromArray(gpu, [2, 24, 24, 3], numbers(2 * 24 * 24 * 3, 2));
    const logits = async (again: boolean): Promise<number[]> => {
      network.recompute = again;
      return read(scope(gpu, () => noGrad(() => network.forward(x))));
    };
    expect(await logits(true)).toEqual(await logits(false));
    network.dispose();
  });

  it('leaves the state dict as it is', async () => {
    const [a, b] = [createModel(gpu, 'resnet18', { width: 4 }), createModel(gpu, 'resnet18', { width: 4, recompute: ['layer2'] })];
    expect(differing(await a.stateDict(), await b.stateDict())).toEqual([]);
    a.dispose();
    b.dispose();
  });
});

describe('recompute', () => {
  it('gives gradients to inputs and to what is used inside, added up in the same order', async () => {
    const grads = async (wrap: (fn: (x: Tensor) => Tensor, x: Tensor) => Tensor): Promise<number[][]> => {
      const [x, w] = [leaf([3, 7], 1), leaf([3, 7], 2)];
      const h = mul(x, x);
      const y = wrap((t) => add(mul(sigmoid(t), w), mul(t, w)), h);
      backward(sum(add(mul(y, h), add(y, w))));
      return [await read(x.grad), await read(w.grad)];
    };
    expect(await grads((fn, x) => recompute(fn, x))).toEqual(await grads((fn, x) => fn(x)));
  });

  it('nests, reaches what a closure holds, and repeats the masks of dropout', async () => {
    const grads = async (on: boolean): Promise<number[][]> => {
      const wrap = (fn: (x: Tensor) => Tensor, x: Tensor): Tensor => (on ? recompute(fn, x) : fn(x));
      const drop = new Dropout(0.5, 9);
      const [x, w, c] = [leaf([4, 16], 1), leaf([4, 16], 2), leaf([4, 16], 3)];
      const held = mul(c, c);
      const y = wrap((outer) => add(wrap((inner) => mul(drop.forward(mul(inner, w)), held), drop.forward(outer)), drop.forward(outer)), x);
      const z = drop.forward(y);
      backward(sum(mul(z, z)));
      return [await read(z), await read(x.grad), await read(w.grad), await read(c.grad)];
    };
    const [on, off] = [await grads(true), await grads(false)];
    expect(on).toEqual(off);
    expect(on[0].filter((v) => v === 0).length).toBeGreaterThan(8);
  });

  it('records nothing where nothing is trained, and hands an input through', () => {
    const x = Tensor.fromArray(gpu, [2], [1, 2]);
    expect(recompute(relu, x).node).toBeUndefined();
    expect(recompute((t) => t, x)).toBe(x);
    expect(noGrad(() => recompute(relu, leaf([2], 1))).node).toBeUndefined();
  });

  it('gives all memory back', () => {
    const w = leaf([8, 8], 1);
    const before = gpu.memory().liveBuffers;
    scope(gpu, () => {
      const x = Tensor.fromArray(gpu, [8, 8], numbers(64, 2));
      backward(sum(recompute((t) => recompute((s) => mul(sigmoid(mul(s, w)), w), mul(t, w)), x)));
    });
    w.grad = undefined;
    expect(gpu.memory().liveBuffers).toBe(before);
  });

  it('says what a function must not do', () => {
    const w = leaf([2], 1);
    expect(() => recompute((async (t: Tensor) => mul(t, w)) as unknown as (t: Tensor) => Tensor, w)).toThrow(/recompute\(\) takes a function that is not async/);
    let calls = 0;
    const y = recompute((t) => (calls++ === 0 ? mul(t, w) : Tensor.fromArray(gpu, [2], [1, 2])), leaf([2], 3));
    expect(() => backward(sum(y))).toThrow(/took another path when it ran again/);
  });
});

it('gradients of two backwards add up where they lie', async () => {
  const w = leaf([5], 1);
  backward(sum(mul(w, w)));
  const first = w.grad as Tensor;
  const once = await read(first);
  backward(sum(mul(w, w)));
  expect(w.grad).toBe(first);
  expect(await read(w.grad)).toEqual(once.map((v) => 2 * v));
  const p = leaf([3], 1);
  backward(sum(add(p, add(p, p)))); // one gradient, handed to all three
  expect(await read(p.grad)).toEqual([3, 3, 3]);
});
