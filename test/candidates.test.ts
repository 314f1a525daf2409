/**
 * Every algorithm that a family offers, over awkward shapes, all elements against sums in double precision: with and
 * without an epilogue, after a run on NaN whose remains in temporaries must not show, and twice with the same bits.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { Gpu } from '../src/gpu/gpu';
import { conv2dFamily, conv2dInputFamily, conv2dWeightFamily, type ConvShape } from '../src/kernels/conv2d/conv2d';
import type { Epilogue } from '../src/kernels/products/epilogue';
import type { Candidate, Family } from '../src/kernels/products/family';
import { matmulFamily, type MatmulShape } from '../src/kernels/matmul/matmul';
import { Tensor, type FloatDtype } from '../src/tensor';
import { exactOf } from '../src/tune/exact';
import type { AnyFamily } from '../src/tune/problems';
import { expectNear, numbers } from './support/numbers';

interface Suite {
  readonly family: AnyFamily;
  /** Whether outputs can be scaled, shifted and added to. */
  readonly epilogue: boolean;
  readonly shapes: readonly unknown[];
  /** Shapes that are only asked what they offer, so that no algorithm is forgotten above. */
  readonly sweep: readonly unknown[];
  /** More shapes for what only a GPU is offered. */
  readonly more?: readonly unknown[];
}

const suite = <S, O extends { readonly out: Tensor }>(family: Family<S, O>, epilogue: boolean, shapes: readonly S[], sweep: readonly S[]): Suite => (
  { family: family as unknown as AnyFamily, epilogue, shapes, sweep }
);

function product(m: number, n: number, k: number, transposes = 0, batch = 1): MatmulShape {
  return { batch, m, n, k, transposeA: transposes % 2 === 1, transposeB: transposes > 1 };
}

interface ConvCase {
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
}

function conv(x: readonly number[], weight: readonly number[], { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvCase = {}): ConvShape {
  return { x, weight, options: { stride: [stride, stride], padding: [padding, padding], dilation: [dilation, dilation], groups } };
}

/** Tiles are 1, 4, 8, 16 or 24 rows and up to 64 columns: one less, one more, primes, and columns that are no fours. */
const PRODUCTS = [
  product(1, 1, 1), product(25, 68, 12), product(17, 61, 7), product(9, 1, 37, 1), product(24, 64, 18, 2, 2), product(23, 60, 13, 3),
  product(1, 131, 6, 2), product(5, 37, 300, 2), product(3, 20, 9, 2),
];
const CONVS = [
  conv([1, 1, 1, 1], [1, 1, 1, 1]),
  conv([2, 5, 7, 8], [3, 3, 8, 12], { padding: 1 }), // Winograd's tiles end inside
  conv([1, 8, 4, 12], [3, 3, 12, 68], { padding: 1 }),
  conv([3, 3, 5, 5], [3, 3, 5, 7], { padding: 1 }),
  conv([1, 13, 11, 3], [7, 7, 3, 17], { stride: 2, padding: 3 }),
  conv([2, 5, 5, 16], [1, 1, 16, 64]),
  conv([1, 7, 6, 10], [1, 1, 10, 9], { stride: 2 }),
  conv([1, 9, 10, 4], [3, 3, 4, 8], { stride: 2, padding: 1, dilation: 2 }),
  conv([1, 6, 7, 24], [3, 3, 12, 24], { padding: 1, groups: 2 }),
  conv([2, 7, 7, 11], [3, 3, 1, 11], { padding: 1, groups: 11 }),
  conv([1, 5, 4, 23], [3, 3, 23, 18], { padding: 1 }), // deep enough to be split, forward and back
  conv([2, 13, 11, 17], [1, 1, 17, 19]), // and along the pixels
];
/** In f16 a family offers the same algorithms or fewer. */
const HALF_PRODUCTS = [product(25, 68, 12, 2)].map((shape): MatmulShape => ({ ...shape, dtype: 'f16' }));
const HALF_CONVS = [conv([2, 5, 7, 8], [3, 3, 8, 12], { padding: 1 })].map((shape): ConvShape => ({ ...shape, dtype: 'f16' }));
/** For what is offered for few rows alone, by how many and how deep. */
const FEW_ROWS = [1, 3, 5, 9].flatMap((m) => [product(m, 37, 13), product(m, 37, 13, 2), product(m, 40, 300), product(m, 39, 301, 2)]);

const PRODUCT_SWEEP = (() => {
  const extents = [1, 2, 3, 4, 7, 8, 12, 20, 24, 32, 61, 64, 129, 1000];
  return extents.flatMap((m) => extents.flatMap((n) => [1, 6, 7, 64, 2048].flatMap((k) => [0, 1, 2, 3].map((t) => product(m, n, k, t)))));
})();
const CONV_SWEEP = (() => {
  const channels = [1, 3, 4, 6, 8, 12, 16, 64, 512];
  const extents = [1, 4, 7, 14, 56];
  const shapes = (groups: number): ConvShape[] => [1, 3, 7].flatMap((kernel) => [1, 2].flatMap((stride) => extents.flatMap((extent) => channels.flatMap((from) => channels.map((to) => (
    conv([2, extent, extent, from * groups], [kernel, kernel, from, to * groups], { stride, padding: (kernel - 1) / 2, groups })
  ))))));
  return [...shapes(1), ...shapes(2), ...shapes(8)];
})();

const SUITES = [
  { ...suite(matmulFamily, true, [...PRODUCTS, ...HALF_PRODUCTS], PRODUCT_SWEEP), more: FEW_ROWS },
  suite(conv2dFamily, true, [...CONVS, ...HALF_CONVS], CONV_SWEEP),
  suite(conv2dInputFamily, false, [...CONVS, ...HALF_CONVS], CONV_SWEEP),
  suite(conv2dWeightFamily, false, [...CONVS, ...HALF_CONVS], CONV_SWEEP),
];

interface Problem {
  readonly operands: Readonly<Record<string, Tensor>> & { readonly out: Tensor };
  readonly poison: Readonly<Record<string, Tensor>>;
  readonly expected: Float64Array;
  readonly epilogue: Epilogue;
  readonly finished: Float64Array;
}

/** Operands of a shape, the same full of NaN, an epilogue, and what should come out. */
async function problemOf(gpu: Gpu, { family, epilogue: takes }: Suite, shape: unknown): Promise<Problem> {
  let seed = 0;
  const operands = family.operands(gpu, shape, (count) => numbers(count, ++seed)) as Problem['operands'];
  const host: Record<string, Float32Array> = {};
  const poison: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(operands)) {
    if (name === 'out') continue;
    host[name] = (await tensor.toArray()) as Float32Array;
    poison[name] = Tensor.fromArray(gpu, tensor.shape, new Float32Array(tensor.size).fill(NaN), floatDtype(tensor));
  }
  const exact = exactOf(family.name, shape, host);
  if (!exact) throw new Error(`${family.name} has no definition in src/tune/exact.ts`);
  const { out } = operands;
  const expected = Float64Array.from({ length: out.size }, (_, i) => exact(i));
  if (!takes) return { operands, poison, expected, epilogue: {}, finished: expected };
  const columns = out.shape[out.shape.length - 1];
  const [scale, bias, residual] = [numbers(columns, 11), numbers(columns, 12), numbers(out.size, 13)];
  return {
    operands, poison, expected,
    epilogue: { scale: Tensor.fromArray(gpu, [columns], scale), bias: Tensor.fromArray(gpu, [columns], bias), residual: Tensor.fromArray(gpu, out.shape, residual, floatDtype(out)), relu: true },
    finished: expected.map((v, i) => Math.max(0, v * scale[i % columns] + bias[i % columns] + residual[i])),
  };
}

const floatDtype = ({ dtype }: Tensor): FloatDtype => (dtype === 'f16' ? 'f16' : 'f32');

/** Runs a candidate in all ways and compares. */
async function check(gpu: Gpu, candidate: Candidate<{ readonly out: Tensor }>, problem: Problem): Promise<void> {
  const { operands, poison, expected, epilogue, finished } = problem;
  const run = async (more: object): Promise<Float32Array> => {
    gpu.scope(() => candidate.run({ ...operands, ...poison, out: operands.out }), () => []);
    gpu.scope(() => candidate.run({ ...operands, ...more }), () => []);
    return (await operands.out.toArray()) as Float32Array;
  };
  const tolerance = operands.out.dtype === 'f16' ? 1e-3 : 2e-5;
  const plain = await run({});
  expectNear(plain, expected, tolerance);
  if (finished !== expected) expectNear(await run(epilogue), finished, tolerance);
  const again = await run({});
  expect(again.every((value, i) => Object.is(value, plain[i])), 'the same bits twice').toBe(true);
}

const offered = ({ family, sweep }: Suite, gpu: Gpu, shapes = sweep): Set<string> => new Set(shapes.flatMap((shape) => family.candidates(gpu, shape).map(({ id }) => id)));

describe('as this adapter has them,', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu();
  });
  afterAll(() => gpu.destroy());

  describe.each(SUITES.map((s) => [s.family.name, s] as const))('algorithms of %s', (_, s) => {
    it('are each offered for one of the shapes below', () => {
      const tested = offered(s, gpu, s.shapes);
      expect([...offered(s, gpu)].filter((id) => !tested.has(id))).toEqual([]);
    });

    it.each(s.shapes.map((shape) => [s.family.classOf(shape), shape] as const))('compute %s', async (__, shape) => {
      if (s.family.classOf(shape).endsWith(' f16') && !gpu.device.features.has('shader-f16')) return;
      const problem = await problemOf(gpu, s, shape);
      const candidates = s.family.candidates(gpu, shape);
      expect(new Set(candidates.map(({ id }) => id)).size, 'ids are unique').toBe(candidates.length);
      await gpu.precompile(() => candidates.forEach((candidate) => candidate.run(problem.operands)));
      for (const candidate of candidates) {
        await check(gpu, candidate, problem).catch((error: Error) => {
          throw new Error(`${candidate.id}: ${error.message}`, { cause: error });
        });
      }
    });
  });
});

/**
 * What only a GPU gets, where this is none: workgroup memory takes a software adapter a second to compile, so each
 * algorithm is run over one shape here (test/workgroupKernels.test.ts has more); on a GPU they are all above.
 */
describe('as a GPU would have them,', () => {
  let gpu: Gpu;
  let software: Gpu;
  beforeAll(async () => {
    software = await openGpu();
    gpu = new Gpu(software.device, { ...software.adapter, software: false, sharedLanes: 1 });
  });
  afterAll(() => {
    gpu.destroy();
    software.destroy();
  });

  it.each(SUITES.map((s) => [s.family.name, s] as const))('algorithms of %s compute what they should', async (_, s) => {
    const done = offered(s, software);
    const missing = [...offered(s, gpu)].filter((id) => !done.has(id));
    // The shape with the most columns first: its tiles end inside, along both axes.
    const shapes = [...s.shapes, ...(s.more ?? [])].filter((shape) => !s.family.classOf(shape).endsWith(' f16')).sort((a, b) => s.family.operations(b) - s.family.operations(a));
    for (const shape of shapes) {
      const candidates = s.family.candidates(gpu, shape).filter(({ id }) => missing.includes(id) && !done.has(id));
      if (candidates.length === 0) continue;
      const problem = await problemOf(gpu, s, shape);
      await gpu.precompile(() => candidates.forEach((candidate) => candidate.run(problem.operands)));
      for (const candidate of candidates) {
        await check(gpu, candidate, problem);
        done.add(candidate.id);
      }
    }
    expect(missing.filter((id) => !done.has(id)), 'offered, but for none of the shapes above').toEqual([]);
  });
});
