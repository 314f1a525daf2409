/** Batch norm with what follows it (residual, ReLU) in one op: the numbers and gradients of the ops one by one. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backward } from '../src/autograd/backward';
import { add, mul, relu, sigmoid } from '../src/autograd/ops/elementwise';
import { batchNorm, type BatchNormFollow } from '../src/autograd/ops/norm';
import { sum } from '../src/autograd/ops/shape';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { sizeOf } from '../src/hostTensor';
import { Tensor } from '../src/tensor';
import { expectNear, numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

type Name = 'x' | 'weight' | 'bias' | 'residual';
const NAMES: readonly Name[] = ['x', 'weight', 'bias', 'residual'];

interface Setup {
  readonly shape: readonly number[];
  readonly by: 'batch' | 'running';
  readonly residual: boolean;
  readonly relu: boolean;
  /** Leaves that want a gradient. */
  readonly trained: readonly Name[];
  /** How often the output is used: each use brings a gradient of its own. */
  readonly uses: number;
  readonly fill?: (values: Float32Array, name: Name) => void;
}

/** Output and gradients, from the fused op or from the single ones. */
async function results(setup: Setup, fused: boolean): Promise<Map<string, Float32Array>> {
  const { shape, by, residual, relu: activate, trained, uses, fill } = setup;
  const channels = shape[shape.length - 1];
  const leaf = (name: Name, i: number): Tensor => {
    const extents = name === 'x' || name === 'residual' ? shape : [channels];
    const values = numbers(sizeOf(extents), 20 + i);
    fill?.(values, name);
    const tensor = Tensor.fromArray(gpu, extents, values);
    tensor.requiresGrad = trained.includes(name);
    return tensor;
  };
  const leaves = Object.fromEntries(NAMES.map((name, i) => [name, leaf(name, i)])) as Record<Name, Tensor>;
  const running = { mean: Tensor.fromArray(gpu, [channels], numbers(channels, 7)), var: Tensor.fromArray(gpu, [channels], numbers(channels, 8).map((v) => 1.5 + v)) };
  const options = { running, normaliseBy: by, update: by === 'batch', momentum: 0.3, eps: 1e-5 };
  const normalise = (follow?: BatchNormFollow): Tensor => batchNorm(leaves.x, leaves.weight, leaves.bias, options, follow);
  let y: Tensor;
  if (fused) y = normalise({ residual: residual ? leaves.residual : undefined, relu: activate });
  else {
    y = normalise();
    if (residual) y = add(y, leaves.residual);
    if (activate) y = relu(y);
  }
  const found = new Map([['y', (await y.toArray()) as Float32Array]]);
  const weights = Tensor.fromArray(gpu, shape, numbers(sizeOf(shape), 31));
  const parts = [(): Tensor => mul(y, weights), (): Tensor => sigmoid(y), (): Tensor => mul(y, y)].slice(0, uses);
  if (trained.length > 0) backward(sum(parts.map((part) => part()).reduce((a, b) => add(a, b))));
  for (const name of NAMES) {
    const { grad } = leaves[name];
    if (grad) found.set(`d${name}`, (await grad.toArray()) as Float32Array);
  }
  found.set('running_mean', (await running.mean.toArray()) as Float32Array);
  found.set('running_var', (await running.var.toArray()) as Float32Array);
  return found;
}

async function compare(setup: Setup): Promise<void> {
  const [got, want] = [await results(setup, true), await results(setup, false)];
  expect([...got.keys()]).toEqual([...want.keys()]);
  for (const [name, values] of got) expectNear(values, want.get(name) as Float32Array, 1e-5);
}

const ALL: readonly Name[] = NAMES;

describe('batch norm with its residual and ReLU', () => {
  for (const shape of [[3, 5, 4, 8], [2, 3, 3, 5], [6, 1, 1, 4], [2, 9, 8, 68], [70, 3]]) {
    for (const by of ['batch', 'running'] as const) {
      it(`is what the ops one by one are: ${shape.join(' x ')}, by ${by}`, async () => {
        for (const residual of [false, true]) {
          for (const activate of [false, true]) {
            for (const uses of [1, 2, 3]) await compare({ shape, by, residual, relu: activate, trained: residual ? ALL : ALL.slice(0, 3), uses });
          }
        }
      });
    }
  }

  for (const by of ['batch', 'running'] as const) {
    it(`gives only the gradients that are wanted, by ${by}`, async () => {
      const sets: readonly (readonly Name[])[] = [['x'], ['weight'], ['bias'], ['weight', 'bias'], ['residual'], ['x', 'residual'], ['residual', 'bias'], ['x', 'bias']];
      for (const trained of sets) {
        for (const uses of [1, 2]) {
          const setup: Setup = { shape: [2, 3, 3, 8], by, residual: true, relu: true, trained, uses };
          await compare(setup);
          const names = [...(await results(setup, true)).keys()].filter((name) => name.startsWith('d'));
          expect(names).toEqual(NAMES.filter((name) => trained.includes(name)).map((name) => `d${name}`));
        }
      }
    });

    it(`keeps NaN and infinities, by ${by}`, async () => {
      for (const [place, value] of [['x', NaN], ['residual', NaN], ['residual', Infinity], ['residual', -Infinity], ['bias', NaN]] as const) {
        const fill = (values: Float32Array, name: Name): void => {
          if (name === place) values[1] = value;
        };
        for (const residual of [false, true]) {
          await compare({ shape: [3, 2, 2, 4], by, residual, relu: true, trained: residual ? ALL : ALL.slice(0, 3), uses: 1, fill });
        }
      }
    });
  }

  it('has the same bits each time', async () => {
    const setup: Setup = { shape: [4, 23, 19, 12], by: 'batch', residual: true, relu: true, trained: ALL, uses: 2 };
    expect(await results(setup, true)).toEqual(await results(setup, true));
  });

  it('normalises many rows as doubles would', async () => {
    const [rows, channels] = [40_000, 4];
    const x = numbers(rows * channels, 3).map((v, i) => 100 + v * (1 + (i % channels)));
    const flat = (value: number): Tensor => Tensor.fromArray(gpu, [channels], new Float32Array(channels).fill(value));
    const options = { running: { mean: flat(0), var: flat(1) }, normaliseBy: 'batch', update: true, momentum: 1, eps: 1e-5 } as const;
    const y = await batchNorm(Tensor.fromArray(gpu, [rows, channels], x), flat(1), flat(0), options).toArray();
    const [mean, variance] = [await options.running.mean.toArray(), await options.running.var.toArray()];
    for (let c = 0; c < channels; c++) {
      let total = 0;
      for (let r = 0; r < rows; r++) total += x[r * channels + c];
      let squares = 0;
      for (let r = 0; r < rows; r++) squares += (x[r * channels + c] - total / rows) ** 2;
      expect(Math.abs(mean[c] - total / rows)).toBeLessThan(2e-5);
      expect(Math.abs(variance[c] / (squares / (rows - 1)) - 1)).toBeLessThan(2e-5);
      for (const r of [0, 777, rows - 1]) {
        expect(Math.abs(y[r * channels + c] - (x[r * channels + c] - total / rows) / Math.sqrt(squares / rows + 1e-5))).toBeLessThan(5e-5);
      }
    }
  });

  it('refuses a residual of another shape', () => {
    const [x, residual] = [Tensor.empty(gpu, [2, 3, 3, 4]), Tensor.empty(gpu, [2, 3, 3, 8])];
    const channels = Tensor.empty(gpu, [4]);
    const options = { running: undefined, normaliseBy: 'batch', update: false, momentum: 0.1, eps: 1e-5 } as const;
    expect(() => batchNorm(x, channels, channels, options, { residual })).toThrow(/residual \[2, 3, 3, 8\] does not have the shape/);
  });
});
