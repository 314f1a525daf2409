/** The GPU layer: memory, scopes, errors that become exceptions, compilation ahead, profiling, the same bits again. */
import { create } from 'webgpu';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { backward } from '../src/autograd/backward';
import { noGrad } from '../src/autograd/op';
import { crossEntropy } from '../src/autograd/ops/loss';
import { DeviceError, DeviceLostError, OutOfMemoryError } from '../src/errors';
import { defaultGpu, openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { Kernel } from '../src/gpu/kernel';
import { formatProfile } from '../src/gpu/profiler';
import { f32 } from '../src/hostTensor';
import { add } from '../src/kernels/binary';
import { createModel, type ResNet } from '../src/models/resnet';
import { Optimizer, type OptimizerOptions } from '../src/optim/optimizer';
import { Tensor, capture, keep, scope } from '../src/tensor';
import { seededInputs } from '../src/weights/seeded';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

const SGD: OptimizerOptions = { name: 'sgd', lr: 0.01, momentum: 0.9 };

class Training {
  readonly model: ResNet;
  readonly #optimizer: Optimizer;
  readonly #inputs = seededInputs([4, 3, 32, 32], 3);

  constructor(device: Gpu, seed: number, options = SGD) {
    this.model = createModel(device, 'resnet18', { width: 4, numClasses: 3, seed });
    this.#optimizer = new Optimizer(this.model.namedParameters(), options);
  }

  /** One step; its loss, which the caller disposes. */
  step = (): Tensor => scope(this.model.gpu, () => {
    const x = Tensor.fromHost(this.model.gpu, this.#inputs, 'image');
    const loss = crossEntropy(this.model.forward(x), Tensor.fromArray(this.model.gpu, [4], Int32Array.of(0, 1, 2, 1)));
    this.#optimizer.zeroGrad();
    backward(loss);
    this.#optimizer.clipGradNorm(1);
    this.#optimizer.step();
    this.#optimizer.zeroGrad();
    return loss;
  });

  dispose(): void {
    this.#optimizer.dispose();
    this.model.dispose();
  }
}

/** It has half a gigabyte. Held for as long as the process lives: Dawn must not lose an instance whose devices are still there. */
const nullBackend = create(['backend=null']);

describe('memory', () => {
  it('does not grow over 200 training steps', async () => {
    const training = new Training(gpu, 1);
    const losses: number[] = [];
    const run = async (steps: number): Promise<void> => {
      for (let i = 0; i < steps; i++) {
        const loss = training.step();
        if (i % 20 === 0) losses.push((await loss.toArray())[0]);
        loss.dispose();
      }
      await gpu.sync();
    };
    await run(100); // by then the garbage collector has its own size
    const before = { ...gpu.memory(), rss: process.memoryUsage().rss };
    await run(200);
    const after = { ...gpu.memory(), rss: process.memoryUsage().rss };
    expect(after.liveBytes).toBe(before.liveBytes);
    expect(after.liveBuffers).toBe(before.liveBuffers);
    expect(after.allocatedBytes).toBe(before.allocatedBytes);
    // The heap swings by some 25 MB; over 1600 steps it ends where it was after 100.
    expect((after.rss - before.rss) / 2 ** 20, 'MB').toBeLessThan(48);
    expect(losses[losses.length - 1]).toBeLessThan(losses[0] / 2);
    training.dispose();
  });
  it('of a model goes back when it is disposed', () => {
    const { liveBuffers } = gpu.memory();
    new Training(gpu, 2).dispose();
    expect(gpu.memory().liveBuffers).toBe(liveBuffers);
  });
  it('of folded batch norms stays within bounds over evaluations', async () => {
    const { model } = new Training(gpu, 3);
    model.eval();
    const evaluate = (): void => scope(gpu, () => noGrad(() => { model.forward(Tensor.fromHost(gpu, seededInputs([2, 3, 32, 32], 1), 'image')); }));
    evaluate();
    const { liveBuffers } = gpu.memory();
    for (let i = 0; i < 5; i++) {
      model.bn1.running_mean.version++;
      evaluate();
    }
    expect(gpu.memory().liveBuffers).toBe(liveBuffers);
    await gpu.sync();
  });
  it('that nobody uses can be given back to the system', () => {
    scope(gpu, () => Tensor.empty(gpu, [1 << 20]).storage.buffer.size);
    const { liveBytes } = gpu.memory();
    gpu.trim();
    expect(gpu.memory().allocatedBytes).toBe(liveBytes);
  });
});

describe('scope', () => {
  const one = (): Tensor => Tensor.fromArray(gpu, [2], [1, 2]);
  it('keeps what it returns, alone, in lists and in objects', async () => {
    expect(scope(gpu, one).storage.released).toBe(false);
    expect(scope(gpu, () => [one(), one()]).map((t) => t.storage.released)).toEqual([false, false]);
    const { a } = scope(gpu, () => ({ a: one(), n: 3, none: undefined }));
    expect(Array.from(await a.toArray())).toEqual([1, 2]);
  });
  it('frees the rest, also when it throws', () => {
    const made: Tensor[] = [];
    scope(gpu, () => { made.push(one()); return one(); });
    expect(() => scope(gpu, () => { made.push(one()); throw new Error('x'); })).toThrow('x');
    expect(made.map((t) => t.storage.released)).toEqual([true, true]);
  });
  it('hands what it returns to the scope around it', () => {
    let inner: Tensor | undefined;
    scope(gpu, () => {
      inner = scope(gpu, one);
      expect(inner.storage.released).toBe(false);
    });
    expect(inner?.storage.released).toBe(true);
  });
  it('leaves kept tensors alone, however deep', () => {
    const kept = scope(gpu, () => scope(gpu, () => [keep(one())])[0].storage);
    expect(kept.released).toBe(false);
    kept.release();
  });
  it('refuses an async function', () => {
    expect(() => scope(gpu, async () => one())).toThrow(/not async/);
    expect(() => noGrad(async () => one())).toThrow(/not async/);
  });
  it('makes use after dispose an error, and disposing twice none', async () => {
    const t = one();
    t.dispose();
    t.dispose();
    expect(() => add(t, t)).toThrow(/used after it was disposed/);
    await expect(t.toArray()).rejects.toThrow(/used after it was disposed/);
    const again = one();
    expect(Array.from(await again.toArray())).toEqual([1, 2]);
  });
  it('is what `using` does at the end of a block', () => {
    const t = one();
    t[Symbol.dispose]();
    expect(t.storage.released).toBe(true);
  });
});

describe('recording', () => {
  it('keeps the order of dispatches and uploads, past the number of parameter slots', async () => {
    let t = Tensor.fromArray(gpu, [1], [0]);
    const step = Tensor.fromArray(gpu, [1], [1]);
    for (let i = 0; i < 1300; i++) {
      if (i === 700) step.assign(f32([1], Float32Array.of(2)));
      const next = add(t, step);
      t.dispose();
      t = next;
    }
    expect(Array.from(await t.toArray())).toEqual([700 + 600 * 2]);
  });
  it('uploads bytes that are no multiple of four', async () => {
    const t = Tensor.fromArray(gpu, [4], [0, 0, 0, 0]);
    gpu.upload(t.storage, Uint8Array.of(0, 0, 128, 63, 0, 0));
    expect((await t.toArray())[0]).toBe(1);
  });
  it('handles tensors of no elements and of one', async () => {
    const none = Tensor.fromArray(gpu, [0, 3], []);
    expect((await add(none, none).toArray()).length).toBe(0);
    expect(Array.from(await add(Tensor.fromArray(gpu, [], [2]), Tensor.fromArray(gpu, [], [3])).toArray())).toEqual([5]);
  });
});

/** Each time another kernel: a pipeline that did not compile is remembered like any other. */
let brokenKernels = 0;
const broken = (): Kernel =>
  new Kernel(`broken ${++brokenKernels}`, ['@group(0) @binding(0) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(1) fn broken() { out[0] = nothing; }'], 'broken');
const LIMITED = new Kernel('limited', ['@group(0) @binding(0) var<storage, read_write> out: array<f32>;\n@compute @workgroup_size(1) fn limited() { out[0] = 1.0; }'], 'limited');

describe('errors of WebGPU', () => {
  it('in a shader are thrown by the next wait, once', async () => {
    const out = Tensor.empty(gpu, [4]);
    gpu.dispatch(broken(), { out: out.storage }, {}, [1]);
    await expect(gpu.sync()).rejects.toThrow(DeviceError);
    await gpu.sync();
  });
  it('in a shader are thrown by a read', async () => {
    const out = Tensor.empty(gpu, [4]);
    gpu.dispatch(broken(), { out: out.storage }, {}, [1]);
    await expect(out.toArray()).rejects.toThrow(/WebGPU reported an error/);
    expect(Array.from(await Tensor.fromArray(gpu, [1], [5]).toArray())).toEqual([5]);
  });
  it('in a shader are thrown by precompile', async () => {
    await expect(gpu.precompile(() => gpu.dispatch(broken(), {}, {}, [1]))).rejects.toThrow(/broken \d: the pipeline could not be compiled/);
  });
  it('name a tensor that is too large', () => {
    const { maxBufferSize, maxStorageBufferBindingSize } = gpu.device.limits;
    const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    expect(() => Tensor.empty(gpu, [limit / 4 + 4]).storage.buffer).toThrow(/larger than this adapter can bind \(.* MB\); use a smaller batch/);
  });
  it('name a grid that is too large', () => {
    const limit = gpu.device.limits.maxComputeWorkgroupsPerDimension;
    const out = Tensor.empty(gpu, [4]);
    expect(() => gpu.dispatch(LIMITED, { out: out.storage }, {}, [1, limit + 1])).toThrow(/limited: a grid of 1 x \d+ x 1 workgroups is past/);
  });
  it('name a binding or a parameter that was forgotten', () => {
    expect(() => gpu.dispatch(LIMITED, {}, {}, [1])).toThrow(/limited: nothing was bound to 'out'/);
  });
  it('of memory that there is not become an exception, and the buffer is not used again', async () => {
    const adapter = await nullBackend.requestAdapter();
    if (!adapter) throw new Error('Dawn has no null backend');
    const small = await openGpu({ adapter });
    const held: Tensor[] = [];
    const { maxBufferSize, maxStorageBufferBindingSize } = small.device.limits;
    const bytes = Math.min(2 ** 30, maxBufferSize, maxStorageBufferBindingSize);
    for (let i = 0; i < 8; i++) {
      const t = Tensor.empty(small, [bytes / 4]);
      void t.storage.buffer;
      held.push(t);
    }
    const failed = await small.sync().catch((error: Error) => error);
    expect(failed).toBeInstanceOf(OutOfMemoryError);
    expect((failed as Error).message).toMatch(/allocating .* MB \(.* MB in use\)/);
    for (const t of held) t.dispose();
    expect(small.memory().liveBytes).toBe(0);
    small.trim();
    expect(small.memory().allocatedBytes).toBe(0);
    small.destroy();
  });
  it('of a device that is gone are exceptions, not hangs', async () => {
    const other = await openGpu();
    const t = Tensor.fromArray(other, [2], [1, 2]);
    other.device.destroy();
    await expect(t.toArray()).rejects.toThrow(DeviceLostError);
    expect(other.lost).toBe(true);
    await expect(t.toArray()).rejects.toThrow(/device was lost/);
    expect(() => add(t, t)).toThrow(/device was lost.*open a new one/);
    await expect(other.sync()).rejects.toThrow(/device was lost/);
    await expect(other.precompile(() => { add(t, t); })).rejects.toThrow(/device was lost/);
  });
  it('of a device that is gone come from the next wait, whichever it is', async () => {
    const other = await openGpu();
    const t = Tensor.fromArray(other, [2], [1, 2]);
    add(t, t).dispose();
    other.device.destroy();
    await expect(other.sync()).rejects.toThrow(DeviceLostError);
  });
  it('of a device that is gone end every wait, whatever the driver leaves unsettled', async () => {
    for (const stuck of ['mapAsync', 'onSubmittedWorkDone', 'popErrorScope', 'createComputePipelineAsync']) {
      const other = await openGpu();
      const { device } = other;
      const t = Tensor.fromArray(other, [2], [1, 2]);
      const never = (): Promise<never> => new Promise(() => undefined);
      if (stuck === 'mapAsync') {
        const create = device.createBuffer.bind(device);
        device.createBuffer = (descriptor) => Object.assign(create(descriptor), { mapAsync: never });
      } else if (stuck === 'onSubmittedWorkDone') {
        device.queue.onSubmittedWorkDone = never;
      } else {
        Object.assign(device, { [stuck]: never });
      }
      const waiting = stuck === 'onSubmittedWorkDone' ? other.sync() : stuck === 'createComputePipelineAsync' ? capture(other, () => add(t, t)) : t.toArray();
      setTimeout(() => device.destroy(), 20);
      await expect(waiting, stuck).rejects.toThrow(DeviceLostError);
    }
  });
  it('tell that the device was lost where the failure comes before the reason', async () => {
    const other = await openGpu();
    const { device } = other;
    const t = Tensor.fromArray(other, [2], [1, 2]);
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => Object.assign(create(descriptor), {
      mapAsync: () => {
        setTimeout(() => device.destroy(), 50);
        return Promise.reject(new Error('the map was aborted'));
      },
    });
    await expect(t.toArray()).rejects.toThrow(DeviceLostError);
  });
  it('of a Gpu that was destroyed say so, and that nothing was lost', async () => {
    const other = await openGpu();
    const t = Tensor.fromArray(other, [2], [1, 2]);
    const waiting = other.sync();
    other.destroy();
    for (const failed of [await waiting.catch((error: Error) => error), await t.toArray().catch((error: Error) => error)]) {
      expect(failed).toBeInstanceOf(DeviceError);
      expect(failed).not.toBeInstanceOf(DeviceLostError);
      expect((failed as Error).message).toMatch(/the Gpu was destroyed; open a new one/);
    }
    await other.device.lost;
    expect(other.lost).toBe(false);
  });
  it('leave no reading buffer behind', async () => {
    const t = Tensor.fromArray(gpu, [2], [1, 2]);
    t.dispose();
    const create = vi.spyOn(gpu.device, 'createBuffer');
    await expect(t.toArray()).rejects.toThrow(/after it was disposed/);
    expect(create).not.toHaveBeenCalled();
    create.mockRestore();
  });
});

describe('a device', () => {
  it('of the caller\'s own is used, and outlives the Gpu', async () => {
    const { device } = gpu;
    const own = await openGpu({ device });
    expect(own.device).toBe(device);
    const t = Tensor.fromArray(own, [2], [1, 2]);
    expect(Array.from(await add(t, t).toArray())).toEqual([2, 4]);
    own.destroy();
    expect(() => add(t, t)).toThrow(/the Gpu was destroyed/);
    expect(Array.from(await Tensor.fromArray(gpu, [1], [7]).toArray())).toEqual([7]);
  });
  it('for everyone is opened once, and again when it was lost', async () => {
    const first = await defaultGpu();
    expect(await defaultGpu()).toBe(first);
    first.destroy();
    await first.device.lost;
    const second = await defaultGpu();
    expect(second).not.toBe(first);
    expect(Array.from(await Tensor.fromArray(second, [1], [7]).toArray())).toEqual([7]);
    second.destroy();
  });
  it('has the adapter\'s full limits, and says what it is', async () => {
    expect(gpu.device.limits.maxBufferSize).toBeGreaterThan(256 * 2 ** 20);
    expect(gpu.adapter.description).not.toBe('');
  });
  it('that was asked to be hardware is hardware or an error that says what there is', async () => {
    if (!gpu.adapter.software) return;
    await expect(openGpu({ prefer: 'hardware' })).rejects.toThrow(/only a software adapter was found/);
  });
});

describe('precompile', () => {
  it('of a device that is lost meanwhile leaves no rejection that nobody handles', async () => {
    const fresh = await openGpu();
    const t = Tensor.fromArray(fresh, [2], [1, 2]);
    fresh.device.popErrorScope = () => Promise.reject(new Error('the device was lost'));
    expect(await fresh.precompile(() => { add(t, t); })).toBe(1);
    fresh.destroy();
  });
  it('compiles what a step needs, once, and changes nothing', async () => {
    const fresh = await openGpu();
    const training = new Training(fresh, 1);
    const before = await training.model.stateDict();
    const { liveBytes } = fresh.memory();
    const compiled = await fresh.precompile(() => { training.step(); });
    expect(compiled).toBeGreaterThan(15);
    expect(await fresh.precompile(() => { training.step(); })).toBe(0);
    expect(fresh.memory().liveBytes).toBe(liveBytes);
    expect(await training.model.stateDict()).toEqual(before);
    // A step afterwards compiles nothing: creating a pipeline would throw here.
    fresh.device.createComputePipeline = () => { throw new Error('a pipeline was compiled late'); };
    training.step().dispose();
    await fresh.sync();
    fresh.destroy();
  });
});

describe('the profiler', () => {
  it('tells time by kernel', async ({ skip }) => {
    if (!gpu.device.features.has('timestamp-query')) skip();
    const t = Tensor.fromArray(gpu, [1 << 18], new Float32Array(1 << 18));
    gpu.startProfile();
    for (let i = 0; i < 5; i++) add(t, t).dispose();
    const times = await gpu.stopProfile();
    expect(times).toMatchObject([{ kernel: 'binary same', calls: 5 }]);
    expect(times[0].milliseconds).toBeGreaterThan(0);
    expect(formatProfile(times)).toMatch(/kernel +calls +ms +share\nbinary same +5 +[\d.]+ +100\.0%/);
    add(t, t).dispose();
    await gpu.sync();
  });
});

describe('the same seed', () => {
  const run = async (options: OptimizerOptions, seed: number): Promise<Map<string, unknown>> => {
    const fresh = new Training(gpu, seed, options);
    for (let i = 0; i < 5; i++) fresh.step().dispose();
    const state = await fresh.model.stateDict();
    fresh.dispose();
    return state;
  };
  for (const options of [SGD, { name: 'adamw', lr: 1e-3 }] as const) {
    it(`gives the same bits after five steps of ${options.name}`, async () => {
      const [a, b, c] = [await run(options, 7), await run(options, 7), await run(options, 8)];
      expect(a).toEqual(b);
      expect(a).not.toEqual(c);
    });
  }
});
