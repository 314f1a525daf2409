/** Modules: torchvision's names, strict loading, freezing by name, batch norm's states, and that frozen means untouched. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../src/autograd/backward';
import { noGrad } from '../src/autograd/op';
import { sum } from '../src/autograd/ops/shape';
import { crossEntropy } from '../src/autograd/ops/loss';
import { ShapeError, StateDictError, UsageError } from '../src/errors';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { f32, sizeOf, toFloat32, type HostTensor } from '../src/hostTensor';
import { BatchNorm2d } from '../src/layers/batchNorm2d';
import { Conv2d } from '../src/layers/conv2d';
import { convBatchNorm } from '../src/layers/convBatchNorm';
import { Linear } from '../src/layers/linear';
import { Sequential } from '../src/layers/sequential';
import { AdaptiveAvgPool2d, Dropout, Flatten, MaxPool2d, ReLU } from '../src/layers/stateless';
import { trainReport, type StateDict } from '../src/layers/module';
import { ARCHITECTURES, architectureName, createModel, type ResNet } from '../src/models/resnet';
import { Optimizer, type OptimizerOptions } from '../src/optim/optimizer';
import { Random } from '../src/random';
import { Tensor, scope } from '../src/tensor';
import { seededInputs, seededStateDict } from '../src/weights/seeded';
import names from './fixtures/names.json';
import { expectNear, numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

const digest = (lines: string[]): string => createHash('sha256').update(lines.join('\n')).digest('hex');
const small = (seed = 0): ResNet => createModel(gpu, 'resnet18', { width: 4, numClasses: 3, seed });

describe('a network of one\'s own', () => {
  const build = (): Sequential => {
    const random = new Random(2);
    return new Sequential(
      new Conv2d(gpu, 3, 8, { kernelSize: 3, padding: 1, bias: true }, random),
      new ReLU(),
      new MaxPool2d(2),
      new Dropout(0.25),
      new AdaptiveAvgPool2d(1),
      new Flatten(),
      new Linear(gpu, 8, 2, random),
    );
  };

  it('has PyTorch\'s names and loads its own state', async () => {
    const model = build();
    expect([...model.stateShapes()]).toEqual([['0.weight', [8, 3, 3, 3]], ['0.bias', [8]], ['6.weight', [2, 8]], ['6.bias', [2]]]);
    const state = await model.stateDict();
    expect(model.loadStateDict(state)).toEqual({ missing: [], unexpected: [], misshapen: [] });
    expect(model.freeze('0')).toEqual(['0.weight', '0.bias']);
    model.dispose();
  });

  it('learns, and drops elements in training only', async () => {
    const model = build();
    const optimizer = new Optimizer(model.namedParameters(), { name: 'adamw', lr: 0.05 });
    // Class 1 is bright, class 0 dark.
    const x = Tensor.fromArray(gpu, [8, 6, 6, 3], Float32Array.from({ length: 8 * 108 }, (_, i) => (Math.floor(i / 108) % 2 ? 1 : -1)));
    const labels = Tensor.fromArray(gpu, [8], Int32Array.from({ length: 8 }, (_, i) => i % 2));
    const losses = [];
    for (let i = 0; i < 40; i++) {
      const loss = scope(gpu, () => {
        const value = crossEntropy(model.forward(x), labels);
        backward(value);
        optimizer.step();
        optimizer.zeroGrad();
        return value;
      });
      losses.push((await loss.toArray())[0]);
    }
    expect(losses[39]).toBeLessThan(losses[0] / 3);
    const drop = new Dropout(0.5, 9);
    const [first, second] = [await drop.forward(x).toArray(), await drop.forward(x).toArray()];
    expect([...first].filter((v) => v === 0).length / first.length).toBeCloseTo(0.5, 1);
    expect([...first]).not.toEqual([...second]);
    expect([...(await new Dropout(0.5, 9).forward(x).toArray())]).toEqual([...first]);
    expect(drop.eval().forward(x)).toBe(x);
    expect(() => new Dropout(1)).toThrow(UsageError);
    model.dispose();
  });
});

describe('names and shapes are torchvision\'s, in its order', () => {
  for (const [arch, want] of Object.entries(names.models)) {
    it(arch, () => {
      const model = createModel(gpu, arch, { initialise: false });
      const shapes = model.stateShapes();
      expect(shapes.size).toBe(want.entries);
      expect(digest([...shapes].map(([name, shape]) => `${name} [${shape.join(', ')}]`))).toBe(want.state);
      const parameters = [...model.namedParameters()].map(([name]) => name);
      expect(parameters.length).toBe(want.parameters);
      expect(digest(parameters)).toBe(want.names);
      expect(trainReport(model)).toEqual({ trainable: { tensors: want.parameters, elements: want.elements }, frozen: { tensors: 0, elements: 0 } });
      model.dispose();
    });
  }
  it('for every architecture', () => {
    expect(Object.keys(names.models)).toEqual(Object.keys(ARCHITECTURES));
  });
  it('state dicts hold them, in PyTorch\'s layout', async () => {
    const model = small();
    const state = await model.stateDict();
    expect([...state.keys()]).toEqual([...model.stateShapes().keys()]);
    for (const [name, shape] of model.stateShapes()) expect(state.get(name)?.shape, name).toEqual(shape);
    expect(state.get('bn1.num_batches_tracked')).toEqual({ dtype: 'I64', shape: [], data: BigInt64Array.of(0n) });
    model.dispose();
  });
});

describe('models', () => {
  it('start from weights that depend on the seed alone', async () => {
    const [a, b, c] = [await small(1).stateDict(), await small(1).stateDict(), await small(2).stateDict()];
    expect(a).toEqual(b);
    expect(a.get('fc.weight')).not.toEqual(c.get('fc.weight'));
    const conv = toFloat32(a.get('layer4.1.conv2.weight') as HostTensor);
    const std = Math.sqrt(conv.reduce((total, v) => total + v * v, 0) / conv.length);
    expect(std / Math.sqrt(2 / (32 * 9))).toBeGreaterThan(0.97);
    expect(std / Math.sqrt(2 / (32 * 9))).toBeLessThan(1.03);
  });
  it('refuse what they cannot be', () => {
    expect(() => architectureName('resnet81')).toThrow(/no model is called 'resnet81'\. Did you mean 'resnet18'\?/);
    expect(() => architectureName('toString')).toThrow(UsageError);
    expect(() => createModel(gpu, 'resnet18', { numClasses: 0 })).toThrow(/numClasses must be a positive integer/);
    expect(() => createModel(gpu, 'resnet18', { width: 2.5 })).toThrow(/width must be a positive integer/);
    const model = small();
    expect(() => model.forward(Tensor.fromArray(gpu, [1, 4, 8, 8], new Float32Array(256)))).toThrow(/input must be \[N, H, W, 3\]/);
    expect(() => Tensor.fromArray(gpu, [...new Float32Array(256)], new Float32Array([1, 4, 8, 8]))).toThrow(/4 values do not fill shape \[0, 0, 0, 0, 0, 0, 0, 0, \.\.\. 256 dimensions\]/);
    expect(() => model.resetClassifier(-1)).toThrow(/positive integer/);
  });
  it('get a new head of another size', async () => {
    const model = small();
    const before = await model.stateDict();
    model.resetClassifier(7, 5);
    const after = await model.stateDict();
    expect(model.numClasses).toBe(7);
    expect(after.get('fc.weight')?.shape).toEqual([7, 32]);
    expect([...after.keys()]).toEqual([...before.keys()]);
    expect(after.get('conv1.weight')).toEqual(before.get('conv1.weight'));
  });
});

describe('loadStateDict', () => {
  const altered = async (): Promise<StateDict> => {
    const state = await small(1).stateDict();
    state.delete('layer1.0.conv1.weight');
    state.delete('bn1.running_mean');
    state.set('fc.extra', f32([1], new Float32Array(1)));
    state.set('fc.weight', f32([5, 32], new Float32Array(160)));
    return state;
  };
  it('is strict: lists everything at once and changes nothing', async () => {
    const model = small(2);
    const before = await model.stateDict();
    const state = await altered();
    expect(() => model.loadStateDict(state)).toThrow(StateDictError);
    expect(() => model.loadStateDict(state)).toThrow(
      'loadStateDict: the weights do not fit the model: missing layer1.0.conv1.weight, bn1.running_mean; unexpected fc.extra; misshapen fc.weight [5, 32] instead of [3, 32]'
        .replace('layer1.0.conv1.weight, bn1.running_mean', 'bn1.running_mean, layer1.0.conv1.weight'),
    );
    expect(await model.stateDict()).toEqual(before);
  });
  it('on demand loads what fits and reports the rest', async () => {
    const model = small(2);
    const [before, state] = [await model.stateDict(), await altered()];
    const report = model.loadStateDict(state, { strict: false });
    expect(report).toEqual({
      missing: ['bn1.running_mean', 'layer1.0.conv1.weight'], unexpected: ['fc.extra'],
      misshapen: [{ name: 'fc.weight', expected: [3, 32], found: [5, 32] }],
    });
    const after = await model.stateDict();
    expect(after.get('fc.weight')).toEqual(before.get('fc.weight'));
    expect(after.get('layer1.0.conv1.weight')).toEqual(before.get('layer1.0.conv1.weight'));
    expect(after.get('conv1.weight')).toEqual(state.get('conv1.weight'));
  });
  it('does without num_batches_tracked, and takes half precision', async () => {
    const model = small(3);
    const state = await small(1).stateDict();
    for (const name of [...state.keys()]) if (name.endsWith('num_batches_tracked')) state.delete(name);
    state.set('fc.bias', { dtype: 'F16', shape: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x3800) });
    model.loadStateDict(state);
    expect((await model.stateDict()).get('fc.bias')?.data).toEqual(Float32Array.of(1, -2, 0.5));
  });
  it('gives back the bits it was given', async () => {
    const model = small();
    const state = seededStateDict(model.stateShapes(), 42);
    model.loadStateDict(state);
    expect(await model.stateDict()).toEqual(state);
  });
});

describe('freeze and unfreeze', () => {
  const trained = (model: ResNet): string[] => [...model.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name);
  it('choose by prefix at a dot', () => {
    const model = small();
    expect(model.freeze('bn1')).toEqual(['bn1.weight', 'bn1.bias']);
    expect(model.layer1[0] && [...model.layer1[0].namedParameters()].every(([, p]) => p.requiresGrad)).toBe(true);
    model.freeze();
    expect(trained(model)).toEqual([]);
    expect(model.unfreeze('layer4.1', 'fc.bias')).toHaveLength(6 + 1);
    expect(() => model.unfreeze('layer4.1.conv')).toThrow(/Did you mean 'layer4.1.conv1'\?/);
  });
  it('choose by glob, all or several', () => {
    const model = small();
    model.freeze();
    expect(model.unfreeze('*.bn?.weight', 'fc.*')).toHaveLength(16 + 2);
    expect(trained(model)).toContain('layer3.0.bn2.weight');
    expect(trained(model)).not.toContain('layer3.0.downsample.1.weight');
    expect(trained(model)).toContain('fc.bias');
    model.unfreeze();
    expect(trained(model)).toHaveLength([...model.namedParameters()].length);
    expect(model.freeze('layer1', 'layer2.0.downsample')).toHaveLength(12 + 3);
  });
  it('take a pattern\'s characters as they are', () => {
    expect(() => small().freeze('fc(weight')).toThrow(UsageError);
    expect(() => small().freeze('fcxweight')).toThrow(UsageError);
  });
  it('suggest the right name', () => {
    expect(() => small().freeze('layr4')).toThrow(/no parameter is named 'layr4'\. Did you mean 'layer4'\?/);
    expect(() => small().unfreeze('fc.wieght')).toThrow(/Did you mean 'fc.weight'\?/);
  });
  it('are counted', () => {
    const model = small();
    model.freeze();
    model.unfreeze('fc');
    expect(trainReport(model).trainable).toEqual({ tensors: 2, elements: 3 * 32 + 3 });
  });
});

describe('BatchNorm2d', () => {
  const data = numbers(2 * 3 * 3 * 4, 1).map((v) => 2 * v + 1);
  const make = (): BatchNorm2d => {
    const norm = new BatchNorm2d(gpu, 4);
    norm.running_mean.assign(f32([4], Float32Array.of(0.5, 1, 1.5, 0)));
    norm.running_var.assign(f32([4], Float32Array.of(1, 2, 0.5, 3)));
    return norm;
  };
  const run = async (norm: BatchNorm2d): Promise<{ by: 'batch' | 'running'; moved: boolean; batches: number }> => {
    const before = await norm.running_var.toArray();
    const y = norm.forward(Tensor.fromArray(gpu, [2, 3, 3, 4], data));
    const out = (await y.toArray()) as Float32Array;
    const perChannel = out.filter((_, i) => i % 4 === 0);
    const mean = perChannel.reduce((a, b) => a + b, 0) / perChannel.length;
    const after = await norm.running_var.toArray();
    return { by: Math.abs(mean) < 1e-5 ? 'batch' : 'running', moved: after.some((v, i) => v !== before[i]), batches: norm.num_batches_tracked.value };
  };
  it('in training goes by the batch and moves its statistics', async () => {
    expect(await run(make())).toEqual({ by: 'batch', moved: true, batches: 1 });
  });
  it('in evaluation goes by its statistics', async () => {
    expect(await run(make().eval())).toEqual({ by: 'running', moved: false, batches: 0 });
  });
  it('frozen holds them in training mode too', async () => {
    const norm = make();
    norm.freeze();
    expect(await run(norm)).toEqual({ by: 'running', moved: false, batches: 0 });
    norm.unfreeze();
    expect((await run(norm)).by).toBe('batch');
  });
  it('half frozen does not', async () => {
    const norm = make();
    norm.freeze('weight');
    expect(await run(norm)).toMatchObject({ by: 'batch', moved: true });
  });
  it('held keeps them while its parameters are trained', async () => {
    const norm = make();
    norm.hold();
    expect(await run(norm)).toEqual({ by: 'running', moved: false, batches: 0 });
    const y = norm.forward(Tensor.fromArray(gpu, [2, 3, 3, 4], data));
    backward(sum(y));
    expect((await (norm.bias.grad as Tensor).toArray())[0]).toBe(18);
    norm.hold(false);
    expect((await run(norm)).by).toBe('batch');
  });
  it('has its three states apart: by the batch, without moving them', async () => {
    const norm = make();
    norm.updateStatistics = false;
    expect(await run(norm)).toEqual({ by: 'batch', moved: false, batches: 0 });
    norm.freeze();
    norm.normaliseBy = 'batch';
    norm.updateStatistics = true;
    expect(await run(norm)).toEqual({ by: 'batch', moved: true, batches: 1 });
  });
  it('says that one value has no variance', () => {
    expect(() => make().forward(Tensor.fromArray(gpu, [1, 1, 1, 4], [1, 2, 3, 4]))).toThrow(/more than one value per channel.*larger batch/);
  });
  it('counts no batches in a dry run', async () => {
    const norm = make();
    await gpu.precompile(() => { norm.forward(Tensor.fromArray(gpu, [2, 3, 3, 4], data)); });
    expect(norm.num_batches_tracked.value).toBe(0);
  });
});

describe('convBatchNorm', () => {
  it('folded gives what the two layers give, also after a change', async () => {
    const random = new Random(1);
    const [conv, norm] = [new Conv2d(gpu, 6, 8, { kernelSize: 3, padding: 1 }, random), new BatchNorm2d(gpu, 8)];
    const set = (tensor: { assign(host: HostTensor): void }, seed: number, offset: number): void => tensor.assign(f32([8], numbers(8, seed).map((v) => 0.5 * v + offset)));
    const x = Tensor.fromArray(gpu, [2, 5, 4, 6], numbers(240, 9));
    const residual = Tensor.fromArray(gpu, [2, 5, 4, 8], numbers(320, 10));
    for (let round = 0; round < 2; round++) {
      set(norm.weight, 20 + round, 1);
      set(norm.bias, 30 + round, 0);
      set(norm.running_mean, 40 + round, 0);
      set(norm.running_var, 50 + round, 1);
      norm.eval();
      const plain = await convBatchNorm(conv, norm, x, { residual, relu: true }).toArray();
      const folded = await noGrad(() => convBatchNorm(conv, norm, x, { residual, relu: true })).toArray();
      expectNear(folded, plain);
      expect(folded.some((v) => v === 0)).toBe(true);
    }
  });
  it('notices a changed convolution', async () => {
    const [conv, norm] = [new Conv2d(gpu, 2, 4, { kernelSize: 1 }, new Random(1)), new BatchNorm2d(gpu, 4)];
    norm.eval();
    const x = Tensor.fromArray(gpu, [1, 2, 2, 2], numbers(8, 1));
    const run = (): Promise<Float32Array | Int32Array> => noGrad(() => convBatchNorm(conv, norm, x)).toArray();
    const first = await run();
    conv.weight.assign(f32([4, 2, 1, 1], new Float32Array(8)), 'conv');
    expect(await run()).toEqual(new Float32Array(first.length));
  });
});

describe('what is frozen', () => {
  const train = (model: ResNet, options: OptimizerOptions, steps: number): void => {
    const optimizer = new Optimizer(model.namedParameters(), options);
    const inputs = seededInputs([4, 3, 32, 32], 1);
    model.train();
    for (let i = 0; i < steps; i++) {
      scope(gpu, () => {
        const loss = crossEntropy(model.forward(Tensor.fromHost(gpu, inputs, 'image')), Tensor.fromArray(gpu, [4], Int32Array.of(0, 1, 2, 0)));
        backward(loss);
        optimizer.step();
        optimizer.zeroGrad();
      });
    }
    optimizer.dispose();
  };
  const bits = (tensor: HostTensor | undefined): string => (tensor ? Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength).toString('hex') : '');

  for (const [name, patterns] of [['head', ['fc']], ['layer4', ['layer4', 'fc']], ['one layer in the middle', ['layer2.0.conv1']]] as const) {
    it(`has the same bits after 10 steps: ${name}`, async () => {
      const model = small(4);
      model.loadStateDict(seededStateDict(model.stateShapes(), 4));
      model.freeze();
      const trained = new Set(patterns.flatMap((pattern) => model.unfreeze(pattern)));
      const norms = new Set([...trained].filter((n) => /bn\d|downsample\.1/.test(n)).map((n) => n.replace(/\.(weight|bias)$/, '')));
      const before = await model.stateDict();
      train(model, { name: 'adamw', lr: 1e-2, weightDecay: 0.1 }, 10);
      for (const [key, after] of await model.stateDict()) {
        const moves = trained.has(key) || norms.has(key.replace(/\.(running_mean|running_var|num_batches_tracked)$/, ''));
        expect(bits(after) !== bits(before.get(key)), key).toBe(moves);
      }
    });
  }
  it('costs no memory for its gradients or activations', () => {
    const peak = (patterns: string[]): number => {
      const model = small(5);
      if (patterns.length > 0) {
        model.freeze();
        model.unfreeze(...patterns);
      }
      model.train();
      return scope(gpu, () => {
        const x = Tensor.fromHost(gpu, seededInputs([8, 3, 64, 64], 1), 'image');
        scope(gpu, () => { model.forward(x); }); // what is folded is kept
        const live = gpu.memory().liveBytes;
        const loss = sum(model.forward(x));
        expect(loss.node).toBeDefined();
        return gpu.memory().liveBytes - live;
      });
    };
    expect(peak(['fc'])).toBeLessThan(peak([]) / 50);
  });
});

describe('layers', () => {
  it('know their parameters', () => {
    const random = new Random(1);
    expect([...new Linear(gpu, 3, 2, random).stateShapes()]).toEqual([['weight', [2, 3]], ['bias', [2]]]);
    expect([...new Linear(gpu, 3, 2, random, { bias: false }).stateShapes()]).toEqual([['weight', [2, 3]]]);
    expect([...new Conv2d(gpu, 4, 6, { kernelSize: [1, 3], groups: 2, bias: true }, random).stateShapes()]).toEqual([['weight', [6, 2, 1, 3]], ['bias', [6]]]);
    expect(() => new Conv2d(gpu, 4, 6, { kernelSize: 1, groups: 4 }, random)).toThrow(ShapeError);
  });
  it('start as PyTorch\'s do', async () => {
    const linear = new Linear(gpu, 16, 200, new Random(1));
    const values = (await linear.weight.toArray()) as Float32Array;
    const bound = 1 / Math.sqrt(16);
    expect(values.every((v) => Math.abs(v) <= bound)).toBe(true);
    expect(Math.max(...values)).toBeGreaterThan(0.98 * bound);
    expect(sizeOf(linear.weight.shape)).toBe(3200);
  });
});
