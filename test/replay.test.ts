/** Capture and replay: the bits of the eager step, memory that does not grow, and clear errors where replaying cannot work. */
import { create } from 'webgpu';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { backward } from '../src/autograd/backward';
import { noGrad } from '../src/autograd/op';
import { relu } from '../src/autograd/ops/elementwise';
import { crossEntropy, softmax } from '../src/autograd/ops/loss';
import { DeviceError, UsageError } from '../src/errors';
import { planTrace } from '../src/gpu/capture';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { Kernel } from '../src/gpu/kernel';
import { f32 } from '../src/hostTensor';
import type { TracedCommand } from '../src/gpu/trace';
import { add, mul } from '../src/kernels/binary';
import { conv2dFamily, type ConvShape } from '../src/kernels/conv2d/conv2d';
import type { Family } from '../src/kernels/products/family';
import { matmulFamily, type MatmulShape } from '../src/kernels/matmul/matmul';
import { Dropout } from '../src/layers/stateless';
import { createModel, type ResNet } from '../src/models/resnet';
import { Optimizer, type OptimizerOptions } from '../src/optim/optimizer';
import { Random } from '../src/random';
import { Tensor, capture, keep, scope } from '../src/tensor';
import { seededInputs } from '../src/weights/seeded';

/** Held for as long as the process lives: Dawn must not lose an instance whose devices are still there. */
const nullBackend = create(['backend=null']);

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

const SGD: OptimizerOptions = { name: 'sgd', lr: 0.02, momentum: 0.9, weightDecay: 1e-3 };
const ADAMW: OptimizerOptions = { name: 'adamw', lr: 1e-3 };
const BATCH = 3;

/** A small ResNet with an optimiser and inputs of its own. */
class Training {
  readonly model: ResNet;
  readonly optimizer: Optimizer;
  readonly x: Tensor;
  readonly targets: Tensor;

  constructor({ seed = 1, options = SGD, headOnly = false }: { seed?: number; options?: OptimizerOptions; headOnly?: boolean } = {}) {
    this.model = createModel(gpu, 'resnet18', { width: 8, numClasses: 4, seed });
    if (headOnly) {
      this.model.freeze('*');
      this.model.unfreeze('fc.*');
    }
    this.model.train();
    this.optimizer = new Optimizer(this.model.namedParameters(), options);
    this.x = Tensor.empty(gpu, [BATCH, 32, 32, 3]);
    this.targets = Tensor.empty(gpu, [BATCH], 'i32');
  }

  /** The batch of step `i`, and its learning rate. */
  feed(i: number): void {
    this.x.write(seededInputs([BATCH, 32, 32, 3], 100 + i).data as Float32Array);
    this.targets.write(Int32Array.from({ length: BATCH }, (_, k) => (i + k) % 4));
    this.optimizer.lr = 0.02 / (i + 1);
  }

  step = (): Tensor => scope(gpu, () => {
    const loss = crossEntropy(this.model.forward(this.x), this.targets);
    backward(loss);
    this.optimizer.clipGradNorm(1);
    this.optimizer.step();
    this.optimizer.zeroGrad();
    return loss;
  });

  async eager(from: number, to: number): Promise<number[]> {
    const losses: number[] = [];
    for (let i = from; i < to; i++) {
      this.feed(i);
      const loss = this.step();
      losses.push((await loss.toArray())[0]);
      loss.dispose();
    }
    return losses;
  }

  async replayed(captured: { replay(): Tensor }, from: number, to: number): Promise<number[]> {
    const losses: number[] = [];
    for (let i = from; i < to; i++) {
      this.feed(i);
      losses.push((await captured.replay().toArray())[0]);
    }
    return losses;
  }

  /** Everything that a step changes. */
  async state(): Promise<unknown> {
    const { steps, tensors } = await this.optimizer.stateDict();
    return { steps, tensors, model: await this.model.stateDict() };
  }

  dispose(): void {
    this.optimizer.dispose();
    this.model.dispose();
    this.x.dispose();
    this.targets.dispose();
  }
}

describe('a replayed training step', () => {
  for (const [name, setup] of Object.entries({
    'of all layers with momentum': {},
    'of all layers with AdamW': { options: ADAMW },
    'of the head': { headOnly: true },
  })) {
    it(`${name} has the bits of the eager one: losses, weights, statistics, optimiser state`, async () => {
      const [eager, other] = [new Training(setup), new Training(setup)];
      const losses = await eager.eager(0, 4);
      const captured = await capture(gpu, other.step);
      expect(await other.replayed(captured, 0, 4)).toEqual(losses);
      expect(new Set(losses).size).toBe(4);
      expect(await other.state()).toEqual(await eager.state());
      captured.dispose();
      eager.dispose();
      other.dispose();
    });
  }
  it('mixes with eager steps, also when it is captured in between', async () => {
    const [eager, mixed] = [new Training(), new Training()];
    const losses = await eager.eager(0, 6);
    const first = await mixed.eager(0, 2);
    const captured = await capture(gpu, mixed.step);
    const rest = [...(await mixed.replayed(captured, 2, 3)), ...(await mixed.eager(3, 4)), ...(await mixed.replayed(captured, 4, 6))];
    expect([...first, ...rest]).toEqual(losses);
    expect(await mixed.state()).toEqual(await eager.state());
    captured.dispose();
    eager.dispose();
    mixed.dispose();
  });
  it('alternates with another capture, and both share memory', async () => {
    const [a, b] = [new Training({ seed: 1 }), new Training({ seed: 2, options: ADAMW })];
    const [eagerA, eagerB] = [new Training({ seed: 1 }), new Training({ seed: 2, options: ADAMW })];
    const captureA = await capture(gpu, a.step);
    const before = gpu.memory().liveBytes;
    const captureB = await capture(gpu, b.step);
    const { plannedBytes, parameterBytes } = captureB.memory;
    expect(gpu.memory().liveBytes - before).toBeLessThan(parameterBytes + 0.05 * plannedBytes + 4096);
    for (let i = 0; i < 3; i++) {
      // Both are recorded before anything is read.
      a.feed(i);
      captureA.replay();
      b.feed(i);
      captureB.replay();
      const [lossA, lossB] = [(await captureA.outputs.toArray())[0], (await captureB.outputs.toArray())[0]];
      expect([lossA, lossB]).toEqual([...(await eagerA.eager(i, i + 1)), ...(await eagerB.eager(i, i + 1))]);
    }
    expect(await b.state()).toEqual(await eagerB.state());
    captureA.dispose();
    captureB.dispose();
    for (const training of [a, b, eagerA, eagerB]) training.dispose();
  });
  it('takes no more memory than the eager step, none more over 60 replays, and gives all of it back', async () => {
    const training = new Training();
    training.feed(0);
    const start = gpu.memory();
    const captured = await capture(gpu, training.step);
    const { plannedBytes, sharedBoundBytes, pooledBytes, outputBytes, parameterBytes } = captured.memory;
    expect(plannedBytes).toBeLessThanOrEqual(pooledBytes);
    expect(plannedBytes).toBeLessThan(1.05 * sharedBoundBytes);
    training.feed(0);
    captured.replay();
    await gpu.sync();
    const before = gpu.memory();
    expect(before.liveBytes - start.liveBytes).toBeLessThanOrEqual(plannedBytes + parameterBytes + Math.max(256, outputBytes));
    for (let i = 0; i < 60; i++) {
      captured.replay();
      if (i % 20 === 19) await gpu.sync();
    }
    expect(gpu.memory()).toEqual(before);
    captured.dispose();
    expect(gpu.memory().liveBytes).toBe(start.liveBytes);
    expect(gpu.memory().liveBuffers).toBe(start.liveBuffers);

    // What the plan says of the pool is what the pool does, from empty.
    gpu.trim();
    const empty = gpu.memory().allocatedBytes;
    training.step().dispose();
    await gpu.sync();
    const pooled = gpu.memory().allocatedBytes - empty;
    expect(Math.abs(pooled - pooledBytes) / pooledBytes).toBeLessThan(0.05);
    expect(plannedBytes).toBeLessThanOrEqual(pooled);
    training.dispose();
  });
  it('does nothing while it is captured', async () => {
    const training = new Training();
    const before = await training.state();
    training.feed(0);
    const { liveBytes } = gpu.memory();
    const captured = await capture(gpu, training.step);
    captured.dispose();
    expect(await training.state()).toEqual(before);
    expect(gpu.memory().liveBytes).toBe(liveBytes);
    training.dispose();
  });
});

describe('replayed inference', () => {
  it('has the bits of the eager one, and follows weights and statistics that change', async () => {
    const training = new Training();
    const { model, x } = training;
    const predict = (): Tensor => scope(gpu, () => noGrad(() => softmax(model.forward(x))));
    const eager = async (): Promise<unknown> => {
      const y = predict();
      const values = await y.toArray();
      y.dispose();
      return values;
    };
    model.eval();
    const captured = await capture(gpu, predict);
    const trained = (model.train(), await capture(gpu, training.step));
    const seen: unknown[] = [];
    for (let i = 0; i < 3; i++) {
      model.eval();
      training.feed(10);
      const values = await captured.replay().toArray();
      expect(values).toEqual(await eager()); // batch norms were brought up to date by the replay
      seen.push(values);
      model.train();
      training.feed(i);
      trained.replay();
      if (i === 1) training.step().dispose();
    }
    model.eval();
    training.feed(10);
    expect(await eager()).toEqual(await captured.replay().toArray()); // and here by eager work
    expect(seen[0]).not.toEqual(seen[1]);
    expect(seen[1]).not.toEqual(seen[2]);
    captured.dispose();
    trained.dispose();
    training.dispose();
  });
  it('computes batch norms inside where the captured function moves their statistics before', async () => {
    const build = (): Training => new Training({ headOnly: false });
    const both = (t: Training) => (): { loss: Tensor; after: Tensor } => scope(gpu, () => {
      t.model.train();
      const loss = t.step();
      t.model.eval();
      return { loss, after: noGrad(() => t.model.forward(t.x)) };
    });
    const [a, b] = [build(), build()];
    const captured = await capture(gpu, both(b));
    for (let i = 0; i < 3; i++) {
      a.feed(i);
      b.feed(i);
      const { loss, after } = both(a)();
      const replayed = captured.replay();
      expect(await replayed.after.toArray()).toEqual(await after.toArray());
      expect(await replayed.loss.toArray()).toEqual(await loss.toArray());
      loss.dispose();
      after.dispose();
    }
    captured.dispose();
    a.dispose();
    b.dispose();
  });
});

describe('what changes by step', () => {
  it('is asked for before each replay, in order, and counted by it', async () => {
    const x = Tensor.fromArray(gpu, [2], [1, 2]);
    let step = 0;
    const fn = (): Tensor => scope(gpu, () => {
      gpu.everyStep(() => step++);
      const factor = new Tensor(gpu, [1], 'f32', gpu.stepValues(4, () => Float32Array.of(step)));
      const offset = new Tensor(gpu, [1], 'f32', gpu.stepValues(4, () => Float32Array.of(100 * step)));
      return add(mul(x, factor), offset);
    });
    const eager = fn();
    expect(Array.from(await eager.toArray())).toEqual([101, 102]);
    const captured = await capture(gpu, fn);
    expect(step).toBe(1);
    captured.replay();
    expect(Array.from(await captured.replay().toArray())).toEqual([303, 306]);
    await gpu.precompile(() => { fn(); });
    expect(step).toBe(3);
    captured.dispose();
    eager.dispose();
    x.dispose();
  });
  it('draws another dropout mask in each replay, the same one backwards, and the masks of the eager steps', async () => {
    const x = Tensor.fromArray(gpu, [64], new Float32Array(64).fill(1));
    const build = (): (() => { y: Tensor; dx: Tensor }) => {
      const layers = [new Dropout(0.5, 3), new Dropout(0.3, 4)];
      const leaf = new Tensor(gpu, [64], 'f32', x.storage);
      leaf.requiresGrad = true;
      return () => scope(gpu, () => {
        const y = layers.reduce((value, layer) => layer.forward(value), layers[0].forward(leaf));
        backward(y, x);
        const dx = leaf.grad as Tensor;
        leaf.grad = undefined;
        return { y, dx };
      });
    };
    const [eager, captured] = [build(), await capture(gpu, build())];
    const seen = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const { y, dx } = eager();
      const values = await y.toArray();
      const replayed = captured.replay();
      expect(await replayed.y.toArray()).toEqual(values);
      expect(await replayed.dx.toArray()).toEqual(await dx.toArray());
      expect(await dx.toArray()).toEqual(values); // of ones, the gradient is the mask too
      seen.add(values.join());
      y.dispose();
      dx.dispose();
    }
    expect(seen.size).toBe(3);
    captured.dispose();
    x.dispose();
  });
  it('bumps the version of what a replay writes, and of nothing else', async () => {
    const training = new Training({ headOnly: true });
    const captured = await capture(gpu, training.step);
    const { model } = training;
    const versions = (): number[] => [model.fc.weight.version, model.conv1.weight.version, model.bn1.running_mean.version];
    const before = versions();
    training.feed(0);
    captured.replay();
    const after = versions();
    expect(after[0]).toBeGreaterThan(before[0]);
    expect(after.slice(1)).toEqual(before.slice(1));
    captured.dispose();
    training.dispose();
  });
});

describe('a capture', () => {
  const one = (): Tensor => Tensor.fromArray(gpu, [2], [1, 2]);
  it('returns tensors alone, in lists and in objects, views and tensors from outside among them', async () => {
    const x = one();
    const captured = await capture(gpu, () => {
      const y = add(x, x);
      return { y, list: [y.view([2, 1]), mul(y, y)], x, n: 3 };
    });
    const { y, list, n } = captured.replay();
    expect(n).toBe(3);
    expect(Array.from(await y.toArray())).toEqual([2, 4]);
    expect(Array.from(await list[0].toArray())).toEqual([2, 4]);
    expect(Array.from(await list[1].toArray())).toEqual([4, 16]);
    captured.dispose();
    expect(y.storage.released).toBe(true);
    expect(x.storage.released).toBe(false);
    expect(() => captured.replay()).toThrow(/the capture was disposed/);
    captured.dispose();
    x.dispose();
  });
  it('copies, with passes around', async () => {
    const x = one();
    const captured = await capture(gpu, () => {
      const y = Tensor.empty(gpu, [2]);
      const z = add(x, x);
      gpu.copy(z.storage, y.storage, 8);
      return add(y, z);
    });
    x.write(Float32Array.of(5, 7));
    expect(Array.from(await captured.replay().toArray())).toEqual([20, 28]);
    captured.dispose();
    x.dispose();
  });
  it('refuses uploads, reads, waits and kept tensors, naming the remedy', async () => {
    const x = one();
    await expect(capture(gpu, () => add(x, one()))).rejects.toThrow(/^capture: an upload of 8 bytes \(Tensor\.fromArray.*write\(\) to it before each replay/);
    await expect(capture(gpu, () => x.assign(f32([2], Float32Array.of(1, 2))))).rejects.toThrow(UsageError);
    await expect(capture(gpu, () => { void add(x, x).toArray(); })).rejects.toThrow(/reading a tensor back.*after replay/);
    await expect(capture(gpu, async () => (await x.toArray())[0])).rejects.toThrow(/reading a tensor back/);
    await expect(capture(gpu, () => { void gpu.sync(); })).rejects.toThrow(/waiting for the device/);
    await expect(capture(gpu, async () => add(x, x))).rejects.toThrow(/not async/);
    await expect(capture(gpu, () => keep(add(x, x)))).rejects.toThrow(/keep\(\) of a tensor made inside.*make it before the capture, or return it/);
    await expect(capture(gpu, () => { try { one(); } catch { /* goes on as if nothing were */ } return add(x, x); })).rejects.toThrow(/an upload/);
    await expect(capture(gpu, () => new Tensor(gpu, [1], 'f32', gpu.stepValues(4, () => Float32Array.of(1))))).rejects.toThrow(/what stepValues\(\) gave is returned/);
    const gone = one();
    await expect(capture(gpu, () => { const y = add(gone, x); gone.dispose(); return y; })).rejects.toThrow(/disposes a tensor that was made outside/);
    await expect(capture(gpu, () => { throw new Error('own'); })).rejects.toThrow('own');
    await expect(capture(gpu, () => { void capture(gpu, () => add(x, x)).catch(() => undefined); })).rejects.toThrow(/captures do not nest/);
    const inner = await capture(gpu, () => add(x, x));
    await expect(capture(gpu, () => add(inner.replay(), x))).rejects.toThrow(/a replay inside the function/);
    expect(await gpu.precompile(() => { inner.replay(); })).toBe(0);
    inner.dispose();
    expect(Array.from(await add(x, x).toArray())).toEqual([2, 4]); // all is as before
    x.dispose();
  });
  it('is useless, and says so, once a tensor it needs is gone', async () => {
    const x = one();
    const captured = await capture(gpu, () => add(x, x));
    x.dispose();
    expect(() => captured.replay()).toThrow(/disposed since; capture the function again/);
    captured.dispose();
    const training = new Training();
    const step = await capture(gpu, training.step);
    training.model.resetClassifier(7);
    expect(() => step.replay()).toThrow(DeviceError);
    step.dispose();
    training.dispose();
  });
  it('leaves tensors that were made inside, and not returned, without memory', async () => {
    const x = one();
    let inner: Tensor | undefined;
    const captured = await capture(gpu, () => {
      inner = add(x, x);
      return relu(inner);
    });
    await expect((inner as Tensor).toArray()).rejects.toThrow(DeviceError);
    captured.dispose();
    x.dispose();
  });
  it('throws what WebGPU says of it', async () => {
    const source = (body: string): string => `@group(0) @binding(0) var<storage, read> x: array<f32>;\n@group(0) @binding(1) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(1) fn main() { ${body} }`;
    const x = one();
    const run = (kernel: Kernel, target: Tensor): void => gpu.dispatch(kernel, { x: x.storage, out: target.storage }, {}, [1]);
    const broken = new Kernel('broken capture', [source('out[0] = nothing;')], 'main');
    await expect(capture(gpu, () => run(broken, Tensor.empty(gpu, [2])))).rejects.toThrow(/broken capture: the pipeline could not be compiled/);
    // Reading and writing the same buffer is told when the commands are submitted, as for eager ones.
    const captured = await capture(gpu, () => run(new Kernel('aliased', [source('out[0] = x[0];')], 'main'), x));
    captured.replay();
    await expect(gpu.sync()).rejects.toThrow(/WebGPU reported an error while running recorded commands/);
    captured.dispose();
    const limit = gpu.device.limits.maxComputeWorkgroupsPerDimension;
    const fine = new Kernel('fine', [source('out[0] = x[0];')], 'main');
    await expect(capture(gpu, () => gpu.dispatch(fine, { x: x.storage, out: x.storage }, {}, [limit + 1]))).rejects.toThrow(/fine: a grid of/);
    x.dispose();
    await gpu.sync();
  });
  it('of a device that is gone is an error', async () => {
    const other = await openGpu();
    const x = Tensor.fromArray(other, [2], [1, 2]);
    const captured = await capture(other, () => add(x, x));
    captured.replay();
    other.device.destroy();
    await other.device.lost;
    expect(() => captured.replay()).toThrow(/device was lost/);
    await expect(capture(other, () => add(x, x))).rejects.toThrow(/device was lost/);
    captured.dispose();
  });
  it('is profiled by kernel', async ({ skip }) => {
    if (!gpu.device.features.has('timestamp-query')) skip();
    const x = one();
    const captured = await capture(gpu, () => add(mul(x, x), x));
    gpu.startProfile();
    captured.replay();
    captured.replay();
    const times = await gpu.stopProfile();
    expect(times).toMatchObject([{ calls: 4 }]);
    expect(Array.from(await captured.replay().toArray())).toEqual([2, 6]);
    captured.dispose();
    x.dispose();
  });
  it('makes nothing and compiles nothing when it is replayed', async () => {
    const training = new Training();
    const captured = await capture(gpu, training.step);
    training.feed(0);
    captured.replay();
    await gpu.sync();
    const spies = (['createBuffer', 'createBindGroup', 'createComputePipeline'] as const).map((name) => vi.spyOn(gpu.device, name));
    training.feed(1);
    captured.replay();
    gpu.flush();
    for (const spy of spies) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
    await gpu.sync();
    captured.dispose();
    training.dispose();
  });
});

describe('residuals added where they lie', () => {
  const places = ({ commands }: { commands: readonly TracedCommand[] }): number => commands.filter((c) => c.kind === 'dispatch' && c.kernel.key.endsWith('residual in out')).length;
  const conv = (x: number[], weight: number[], stride = 1, padding = 1): ConvShape => ({ x, weight, options: { stride: [stride, stride], padding: [padding, padding], dilation: [1, 1], groups: 1 } });
  const convs = [conv([2, 5, 7, 8], [3, 3, 8, 12]), conv([1, 7, 5, 3], [5, 5, 3, 17], 2, 3)];
  const products: MatmulShape[] = [[17, 61, 7], [3, 40, 301]].map(([m, n, k]) => ({ batch: 1, m, n, k, transposeA: false, transposeB: true }));

  /** Each candidate with a residual that nothing reads afterwards, eagerly and captured. */
  async function check<S, O extends { readonly out: Tensor }>(family: Family<S, O>, shape: S): Promise<number> {
    const random = new Random(1);
    const operands = family.operands(gpu, shape, (count) => Float32Array.from({ length: count }, () => random.normal()));
    const { shape: extents } = operands.out;
    const base = Tensor.fromArray(gpu, extents, Float32Array.from({ length: operands.out.size }, () => random.normal()));
    const scale = Tensor.fromArray(gpu, [extents.at(-1) as number], Float32Array.from({ length: extents.at(-1) as number }, () => random.normal()));
    let found = 0;
    for (const { id, run } of family.candidates(gpu, shape)) {
      const fn = (): Tensor => scope(gpu, () => {
        const residual = add(base, base);
        const out = Tensor.empty(gpu, extents);
        run({ ...operands, out, residual, scale, relu: true });
        return add(out, base);
      });
      const { trace, outputs } = gpu.trace(fn, (y) => [y.storage]);
      if (places(planTrace(trace, outputs)) > 0) found++;
      await gpu.precompile(() => { fn(); });
      const captured = await capture(gpu, fn);
      const eager = fn();
      const wanted = await eager.toArray();
      captured.replay();
      expect(await captured.replay().toArray(), `${family.name} ${id}`).toEqual(wanted);
      captured.dispose();
      eager.dispose();
    }
    return found;
  }
  it('by every algorithm of the convolution', async () => {
    for (const shape of convs) expect(await check(conv2dFamily, shape)).toBeGreaterThan(0);
  });
  it('by every algorithm of the product', async () => {
    for (const shape of products) expect(await check(matmulFamily, shape)).toBeGreaterThan(0);
  });
  it('only where nothing reads them afterwards, and they are no input', () => {
    const kernel = new Kernel('adds', ['@group(0) @binding(0) var<storage, read> x: array<f32>;\n@group(0) @binding(1) var<storage, read> residual: array<f32>;\n@group(0) @binding(2) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(1) fn main() { out[0] = x[0] + residual[0]; }'], 'main');
    const x = Tensor.fromArray(gpu, [4], [1, 2, 3, 4]);
    const adds = (a: Tensor, residual: Tensor): Tensor => {
      const out = Tensor.empty(gpu, [4]);
      gpu.dispatch(kernel, { x: a.storage, residual: residual.storage, out: out.storage }, {}, [1]);
      return out;
    };
    const count = (fn: () => Tensor): number => {
      const { trace, outputs } = gpu.trace(fn, (y) => [y.storage]);
      const planned = planTrace(trace, outputs);
      expect(planned.plan.bytes).toBeGreaterThanOrEqual(planned.plan.sharedBound);
      return places(planned);
    };
    const r = (): Tensor => add(x, x);
    expect(count(() => mul(adds(x, r()), x))).toBe(1);
    expect(count(() => mul(adds(x, adds(x, adds(x, r()))), x))).toBe(3);
    expect(count(() => mul(adds(x, x), x)), 'an input').toBe(0);
    expect(count(() => adds(x, r())), 'into an output').toBe(0);
    expect(count(() => { const a = r(); return mul(adds(x, a), a); }), 'read afterwards').toBe(0);
    expect(count(() => { const a = r(); return mul(adds(a, a), x); }), 'read otherwise at once').toBe(0);
    expect(kernel.inPlace('residual', 'out')?.code).toContain('out[0] = x[0] + out[0]');
    expect(new Kernel('other', [kernel.code.replace('residual: array<f32>', 'residual: array<u32>').replace('residual[0]', 'f32(residual[0])')], 'main').inPlace('residual', 'out')).toBeUndefined();
    expect(new Kernel('length', [kernel.code.replace('residual[0]', 'f32(arrayLength(&residual))')], 'main').inPlace('residual', 'out')).toBeUndefined();
    x.dispose();
  });
  it('save the largest buffer of a frozen network', async () => {
    const model = createModel(gpu, 'resnet50', { width: 8, numClasses: 4, seed: 1 });
    model.eval();
    const x = Tensor.fromHost(gpu, seededInputs([2, 3, 64, 64], 1), 'image');
    const fn = (): Tensor => scope(gpu, () => noGrad(() => model.forward(x)));
    fn().dispose(); // weights that are kept transformed are made the second time
    const eager = fn();
    const captured = await capture(gpu, fn);
    expect(await captured.replay().toArray()).toEqual(await eager.toArray());
    const stem = 2 * 32 * 32 * 8 * 4; // as large as a block's output
    expect(captured.memory.plannedBytes).toBeLessThan(2 * stem);
    captured.dispose();
    eager.dispose();
    x.dispose();
    model.dispose();
  });
});

describe('write', () => {
  it('overwrites elements, in order with what was recorded, and checks their number and type', async () => {
    const x = Tensor.fromArray(gpu, [2], [1, 2]);
    const y = add(x, x);
    x.write(Float32Array.of(3, 4));
    expect(Array.from(await y.toArray())).toEqual([2, 4]);
    expect(Array.from(await x.toArray())).toEqual([3, 4]);
    expect(() => x.write(Float32Array.of(1))).toThrow(/write: 1 values do not fill shape \[2\]/);
    expect(() => x.write(Int32Array.of(1, 2))).toThrow(/holds f32, got i32; give a Float32Array/);
    x.dispose();
    y.dispose();
  });
});

describe('a trace', () => {
  it('lists commands, parameters and lifetimes without a GPU', async () => {
    const adapter = await nullBackend.requestAdapter();
    if (!adapter) throw new Error('Dawn has no null backend');
    const none = await openGpu({ adapter });
    const x = Tensor.empty(none, [1024]);
    const { trace, outputs } = none.trace(
      () => {
        const a = add(x, x); // 0: a
        const b = mul(a, a); // 1: a, b
        const c = add(b, x); // 2: b, c, in a's buffer
        return mul(c, c); // 3: c and the output
      },
      (y) => [y.storage],
    );
    expect(trace.commands.map((command) => command.kind)).toEqual(['dispatch', 'dispatch', 'dispatch', 'dispatch']);
    expect([...trace.temporaries(outputs).values()].map(({ first, last }) => [first, last])).toEqual([[0, 1], [1, 2], [2, 3]]);
    expect(trace.outside()).toEqual({ all: [x.storage], written: [] });
    const { plan, where } = planTrace(trace, outputs);
    expect(plan).toMatchObject({ buffers: [4096, 4096], lowerBound: 8192 });
    expect(where.size).toBe(3);
    expect(none.memory().allocatedBytes).toBe(0);
    none.destroy();
  });
});
