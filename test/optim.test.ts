/** Optimisers and schedules against torch.optim's numbers, options, and state that survives a restart. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import { Parameter } from '../src/layers/module';
import { Optimizer, type OptimizerOptions } from '../src/optim/optimizer';
import { cosineRate, oneCycleRate, rateAt, scheduleName } from '../src/optim/schedule';
import { Tensor, capture } from '../src/tensor';
import schedules from './fixtures/optim/schedules.json';
import { expectNear, numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

const SGD: OptimizerOptions = { name: 'sgd', lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.01 };
const ADAMW: OptimizerOptions = { name: 'adamw', lr: 0.1, weightDecay: 0.05 };

function parameter(seed: number): Parameter {
  return new Parameter(Tensor.fromArray(gpu, [7], numbers(7, seed)));
}

function step(optimizer: Optimizer, parameters: readonly Parameter[], i: number): void {
  parameters.forEach((p, k) => { p.grad = Tensor.fromArray(gpu, [7], numbers(7, 100 + 10 * i + k)); });
  optimizer.step();
}

describe('schedules are torch.optim.lr_scheduler\'s', () => {
  for (const [i, { name, lr, args, rates }] of schedules.schedules.entries()) {
    const given = args as { T_max?: number; eta_min?: number; max_lr?: number; total_steps?: number; pct_start?: number; div_factor?: number; final_div_factor?: number; anneal_strategy?: string };
    if (given.anneal_strategy === 'linear') continue; // Graft's one-cycle anneals by cosines only
    it(`${name} ${i}`, () => {
      const got = rates.map((_, at) =>
        name === 'OneCycleLR'
          ? oneCycleRate(at, given.total_steps ?? 0, given.max_lr ?? 0, {
            ...(given.pct_start !== undefined && { pctStart: given.pct_start }),
            ...(given.div_factor !== undefined && { divFactor: given.div_factor }),
            ...(given.final_div_factor !== undefined && { finalDivFactor: given.final_div_factor }),
          })
          : cosineRate(at, given.T_max ?? 0, lr, given.eta_min));
      expectNear(got, rates, 1e-12);
    });
  }
  it('by name', () => {
    expect(rateAt('constant', 3, 10, 0.1)).toBe(0.1);
    expect(rateAt('cosine', 0, 10, 0.1)).toBe(0.1);
    expect(rateAt('onecycle', 0, 10, 0.1)).toBeCloseTo(0.004, 12);
    expect(() => scheduleName('cosin')).toThrow(/Did you mean 'cosine'\?/);
  });
  it('stay finite and positive for runs of a few steps', () => {
    for (const total of [1, 2, 3, 4]) {
      for (let i = 0; i < total; i++) {
        for (const schedule of ['constant', 'cosine', 'onecycle'] as const) {
          const rate = rateAt(schedule, i, total, 0.1);
          expect(rate >= 0 && rate <= 0.1 + 1e-12, `${schedule} ${i} of ${total}: ${rate}`).toBe(true);
        }
      }
    }
  });
});

for (const options of [SGD, ADAMW]) {
  describe(options.name, () => {
    it('takes up where it was saved, bit by bit', async () => {
      const whole = [parameter(1), parameter(2)];
      const one = new Optimizer(whole.map((p, k) => [`p${k}`, p]), options);
      for (let i = 0; i < 6; i++) step(one, whole, i);

      const parts = [parameter(1), parameter(2)];
      const first = new Optimizer(parts.map((p, k) => [`p${k}`, p]), options);
      for (let i = 0; i < 3; i++) step(first, parts, i);
      const saved = await first.stateDict();
      first.dispose();
      const second = new Optimizer(parts.map((p, k) => [`p${k}`, p]), options);
      second.loadStateDict(saved);
      expect(second.steps).toBe(3);
      for (let i = 3; i < 6; i++) step(second, parts, i);
      for (const k of [0, 1]) expect(await parts[k].toArray()).toEqual(await whole[k].toArray());
    });
    it('leaves parameters without a gradient alone, and frozen ones out', async () => {
      const [a, b, c] = [parameter(1), parameter(2), parameter(3)];
      c.requiresGrad = false;
      const optimizer = new Optimizer([['a', a], ['b', b], ['c', c]], options);
      a.grad = Tensor.fromArray(gpu, [7], numbers(7, 9));
      c.grad = Tensor.fromArray(gpu, [7], numbers(7, 9));
      optimizer.step();
      expect(await a.toArray()).not.toEqual(numbers(7, 1));
      expect(await b.toArray()).toEqual(numbers(7, 2));
      expect(await c.toArray()).toEqual(numbers(7, 3));
      expect([...(await optimizer.stateDict()).tensors.keys()].some((key) => key.endsWith('.c'))).toBe(false);
    });
    it('counts the steps of each parameter, as torch.optim does', async () => {
      const [early, late, alone] = [parameter(1), parameter(2), parameter(2)];
      const optimizer = new Optimizer([['early', early], ['late', late]], options);
      const grad = (seed: number): Tensor => Tensor.fromArray(gpu, [7], numbers(7, seed));
      for (let i = 0; i < 3; i++) {
        early.grad = grad(i);
        late.grad = i < 2 ? undefined : grad(9);
        optimizer.step();
      }
      alone.grad = grad(9);
      new Optimizer([['alone', alone]], options).step();
      expect(await late.toArray()).toEqual(await alone.toArray());
      const saved = await optimizer.stateDict();
      if (options.name === 'adamw') expect(['step.early', 'step.late'].map((name) => saved.tensors.get(name)?.data[0])).toEqual([3, 1]);
      const second = new Optimizer([['early', early], ['late', late]], options);
      second.loadStateDict(saved);
      expect(await second.stateDict()).toEqual(saved);
    });
    it('updates parameters of all sizes, many to a dispatch', async () => {
      const sizes = [1, 2, 3, 4, 5, 63, 64, 65, 1000, 40_001, 7];
      const together = sizes.map((n, k) => new Parameter(Tensor.fromArray(gpu, [n], numbers(n, k))));
      const alone = sizes.map((n, k) => new Parameter(Tensor.fromArray(gpu, [n], numbers(n, k))));
      const one = new Optimizer(together.map((p, k) => [`p${k}`, p]), options);
      const many = alone.map((p) => new Optimizer([['p', p]], options));
      for (let i = 0; i < 2; i++) {
        for (const all of [together, alone]) all.forEach((p, k) => { p.grad = Tensor.fromArray(gpu, p.shape, numbers(p.size, 50 + 20 * i + k)); });
        one.step();
        for (const each of many) each.step();
      }
      for (const [k, p] of together.entries()) {
        const [got, want, start] = [await p.toArray(), await alone[k].toArray(), numbers(p.size, k)];
        expect(Buffer.from(got.buffer).equals(Buffer.from(want.buffer)), `parameter ${k}`).toBe(true);
        expect(got.every((v, i) => v !== start[i])).toBe(true);
      }
    });
    it('keeps its counts and rates when it is replayed', async () => {
      const [eager, replayed] = [[parameter(1), parameter(2)], [parameter(1), parameter(2)]];
      const grads = [3, 4].map((seed) => Tensor.fromArray(gpu, [7], numbers(7, seed)));
      const optimizers = [eager, replayed].map((all) => new Optimizer(all.map((p, k) => [`p${k}`, p]), options));
      const recorded = await capture(gpu, () => {
        replayed.forEach((p, k) => { p.grad = grads[k]; });
        optimizers[1].step();
        optimizers[1].zeroGrad();
      });
      for (let i = 0; i < 4; i++) {
        for (const optimizer of optimizers) optimizer.lr = 0.1 / (i + 1);
        eager.forEach((p, k) => { p.grad = grads[k]; });
        optimizers[0].step();
        recorded.replay();
      }
      for (const [k, p] of replayed.entries()) expect(await p.toArray()).toEqual(await eager[k].toArray());
      expect(await optimizers[1].stateDict()).toEqual(await optimizers[0].stateDict());
      recorded.dispose();
    });
    it('goes by the rate of the moment', async () => {
      const p = parameter(1);
      const optimizer = new Optimizer([['p', p]], options);
      optimizer.lr = 0;
      step(optimizer, [p], 0);
      expect(await p.toArray()).toEqual(numbers(7, 1));
    });
    it('updates a parameter that two modules share once', async () => {
      const [shared, single] = [parameter(1), parameter(1)];
      step(new Optimizer([['a', shared], ['b', shared]], options), [shared], 0);
      step(new Optimizer([['a', single]], options), [single], 0);
      expect(await shared.toArray()).toEqual(await single.toArray());
    });
    it('gives its memory back', () => {
      const p = parameter(1);
      const { liveBuffers } = gpu.memory();
      new Optimizer([['p', p]], options).dispose();
      expect(gpu.memory().liveBuffers).toBe(liveBuffers);
    });
  });
}

describe('options', () => {
  it('that make no sense are refused', () => {
    const make = (options: unknown) => () => new Optimizer([], options as OptimizerOptions);
    expect(make({ name: 'adm', lr: 1 })).toThrow(/no optimizer is called 'adm'/);
    expect(make({ name: 'sgd', lr: 0 })).toThrow(/learning rate must be positive, got 0/);
    expect(make({ name: 'sgd', lr: NaN })).toThrow(/learning rate must be positive, got NaN/);
    expect(make({ name: 'sgd', lr: 1, weightDecay: -1 })).toThrow(/weight decay must not be negative/);
    expect(make({ name: 'sgd', lr: 1, nesterov: true })).toThrow(/Nesterov needs a momentum/);
    expect(make({ name: 'sgd', lr: 1, momentum: -0.5 })).toThrow(/momentum must be/);
    expect(make({ name: 'adamw', lr: 1, betas: [0.9, 1] })).toThrow(/betas must be/);
    expect(make({ name: 'adamw', lr: 1, eps: -1 })).toThrow(/eps must/);
  });
  it('of another optimiser\'s checkpoint are told', async () => {
    const optimizer = new Optimizer([['p', parameter(1)]], ADAMW);
    expect(() => optimizer.loadStateDict({ steps: 1, tensors: new Map() })).toThrow(/holds no optimiser state 'exp_avg\.p'/);
  });
});
