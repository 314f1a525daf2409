/** Products in workgroup memory, each candidate over awkward shapes, against sums in double precision. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { Gpu } from '../src/gpu/gpu';
import type { Candidate } from '../src/kernels/products/family';
import { matmulFamily, type MatmulOperands, type MatmulShape } from '../src/kernels/matmul/matmul';
import { narrowCandidates } from '../src/kernels/matmul/narrow';
import { workgroupCandidates } from '../src/kernels/matmul/workgroup';
import { Tensor } from '../src/tensor';
import { expectNear, numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  const opened = await openGpu();
  gpu = new Gpu(opened.device, { ...opened.adapter, software: false, sharedLanes: 1 });
});
afterAll(() => gpu.destroy());

function product(a: ArrayLike<number>, b: ArrayLike<number>, { batch, m, n, k, transposeA, transposeB }: MatmulShape): Float64Array {
  const out = new Float64Array(batch * m * n);
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < m; i++)
      for (let l = 0; l < k; l++) {
        const left = a[z * m * k + (transposeA ? l * m + i : i * k + l)];
        for (let j = 0; j < n; j++) out[(z * m + i) * n + j] += left * b[z * k * n + (transposeB ? j * k + l : l * n + j)];
      }
  return out;
}

function matmulShape(m: number, n: number, k: number, transposes = 0, batch = 1): MatmulShape {
  return { batch, m, n, k, transposeA: transposes % 2 === 1, transposeB: transposes > 1 };
}

/** Runs one candidate with and without an epilogue and compares. */
async function check(candidate: Candidate<MatmulOperands>, shape: MatmulShape): Promise<void> {
  const { batch, m, n, dtype = 'f32' } = shape;
  const tolerance = dtype === 'f16' ? 1e-3 : 1e-5;
  let seed = 0;
  const operands = matmulFamily.operands(gpu, shape, (count) => numbers(count, ++seed));
  const [a, b] = [await operands.a.toArray(), await operands.b.toArray()];
  const expected = product(a, b, shape);
  candidate.run(operands);
  expectNear(await operands.out.toArray(), expected, tolerance);
  const [scale, bias, residual] = [numbers(n, 3), numbers(n, 4), numbers(batch * m * n, 5)];
  const epilogue = {
    scale: Tensor.fromArray(gpu, [n], scale), bias: Tensor.fromArray(gpu, [n], bias), residual: Tensor.fromArray(gpu, [batch, m, n], residual, dtype), relu: true,
  };
  candidate.run({ ...operands, ...epilogue });
  expectNear(await operands.out.toArray(), expected.map((v, i) => Math.max(0, v * scale[i % n] + bias[i % n] + residual[i])), tolerance);
  for (const t of [operands.a, operands.b, operands.out, epilogue.scale, epilogue.bias, epilogue.residual]) t.dispose();
}

/** Checks the candidates `ids` of a shape: a software adapter takes a second to compile each tile. */
async function checkEach(shape: MatmulShape, ids: readonly string[], candidatesOf = workgroupCandidates): Promise<void> {
  const candidates = candidatesOf(gpu, shape);
  for (const id of ids) {
    const candidate = candidates.find((c) => c.id === id);
    if (!candidate) throw new Error(`no '${id}' among ${candidates.map((c) => c.id).join(', ')}`);
    await check(candidate, shape);
  }
}

describe('matmul in workgroup memory', () => {
  it.each([0, 1, 2, 3])('around the edges of a tile, transposition %i', async (transposes) => {
    for (const [m, n, k] of [[1, 1, 1], [31, 33, 15], [37, 29, 41], [32, 32, 16], [36, 28, 20], [4, 64, 4]]) {
      await checkEach(matmulShape(m, n, k, transposes), ['workgroup 32x32']);
    }
  });

  it.each(['workgroup 32x64', 'workgroup 64x64', 'workgroup 128x64', 'workgroup 128x128'])('%s', async (id) => {
    await checkEach(matmulShape(129, 132, 20), [id]);
  });

  it('of batches, and split along the depth', async () => {
    await checkEach(matmulShape(5, 12, 17, 0, 3), ['workgroup 32x32']);
    await checkEach(matmulShape(8, 12, 260), ['workgroup 32x32 split']);
    await checkEach(matmulShape(9, 7, 300, 0, 2), ['workgroup 32x32 split']);
  });

  it('keeps NaN and infinities where they belong', async () => {
    const shape = matmulShape(20, 24, 12);
    const [a, b] = [numbers(20 * 12, 1), numbers(12 * 24, 2)];
    a[5] = NaN;
    a[30] = Infinity;
    b[40] = -Infinity;
    const out = Tensor.empty(gpu, [20, 24]);
    workgroupCandidates(gpu, shape)[0].run({ a: Tensor.fromArray(gpu, [20, 12], a), b: Tensor.fromArray(gpu, [12, 24], b), out, relu: true });
    expectNear(await out.toArray(), product(a, b, shape).map((v) => (v < 0 ? 0 : v)));
  });

  it('is offered on GPUs only, largest tile first where there is work for it', () => {
    const idsOf = (m: number, n: number, k: number): string[] => workgroupCandidates(gpu, matmulShape(m, n, k)).map(({ id }) => id);
    expect(idsOf(4096, 4096, 512)[0]).toBe('workgroup 128x128');
    expect(idsOf(512, 512, 512)[0]).not.toMatch(/128x128$/);
    expect(idsOf(64, 64, 8192)[0]).toMatch(/split$/);
    expect(workgroupCandidates(new Gpu(gpu.device, { ...gpu.adapter, software: true }), matmulShape(64, 64, 64))).toEqual([]);
  });
});

describe('on f16 operands', () => {
  it('sums in f32', async ({ skip }) => {
    skip(!gpu.device.features.has('shader-f16'), 'the adapter has no shader-f16');
    for (const [m, n, k, transposes] of [[33, 31, 17, 0], [36, 40, 44, 2], [9, 8, 260, 1]]) {
      const shape: MatmulShape = { ...matmulShape(m, n, k, transposes), dtype: 'f16' };
      await checkEach(shape, [k === 260 ? 'workgroup 32x32 split' : 'workgroup 32x32']);
    }
    for (const [m, n, k, transposes] of [[2, 31, 17, 0], [3, 40, 44, 2]]) {
      const shape: MatmulShape = { ...matmulShape(m, n, k, transposes), dtype: 'f16' };
      await checkEach(shape, [narrowCandidates(gpu, shape)[0].id], narrowCandidates);
    }
  });
});

describe('matmul of few rows', () => {
  it.each([0, 1, 2, 3])('in every division of the depth, transposition %i', async (transposes) => {
    for (const [m, n, k] of [[1, 1, 1], [1, 33, 261], [3, 36, 40], [9, 31, 300]]) {
      const shape = matmulShape(m, n, k, transposes);
      await checkEach(shape, [narrowCandidates(gpu, shape)[0].id], narrowCandidates);
    }
  });

  it('of batches, and of a head of a thousand classes', async () => {
    await checkEach(matmulShape(2, 12, 17, 0, 3), ['narrow r2 16x8'], narrowCandidates);
    await checkEach(matmulShape(1, 1000, 512, 2), ['narrow r1 4x32', 'narrow r1 8x8', 'narrow r1 2x64'], narrowCandidates);
    await checkEach(matmulShape(8, 512, 1000), ['narrow r8 16x8'], narrowCandidates);
  });

  it('on a CPU adapter, one invocation to all of the depth', async () => {
    const software = new Gpu(gpu.device, { ...gpu.adapter, software: true });
    for (const [m, n, k] of [[3, 31, 37], [4, 40, 64]]) await checkEach(matmulShape(m, n, k, 2), ['narrow r2 64x1', 'narrow r4 64x1'].slice(m - 3, m - 2), (_, shape) => narrowCandidates(software, shape));
  });

  it('keeps NaN and infinities where they belong', async () => {
    const shape = matmulShape(2, 7, 9, 2);
    const [a, b] = [numbers(18, 1), numbers(63, 2)];
    [a[3], b[20]] = [NaN, Infinity];
    const out = Tensor.empty(gpu, [2, 7]);
    narrowCandidates(gpu, shape)[0].run({ a: Tensor.fromArray(gpu, [2, 9], a), b: Tensor.fromArray(gpu, [7, 9], b), out, relu: true });
    expectNear(await out.toArray(), product(a, b, shape).map((v) => (v < 0 ? 0 : v)));
  });

  it('is not offered for many rows', () => {
    expect(narrowCandidates(gpu, matmulShape(65, 64, 64))).toEqual([]);
  });
});
