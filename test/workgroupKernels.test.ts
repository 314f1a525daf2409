/** Products in workgroup memory, each candidate over awkward shapes, against sums in double precision. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import type { Candidate } from '../src/kernels/family';
import { matmulFamily, type MatmulOperands, type MatmulShape } from '../src/kernels/matmul';
import { workgroupCandidates } from '../src/kernels/matmulWorkgroup';
import { Tensor } from '../src/tensor';
import { expectNear, numbers } from './support/numbers';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
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
  const { batch, m, n } = shape;
  let seed = 0;
  const operands = matmulFamily.operands(gpu, shape, (count) => numbers(count, ++seed));
  const [a, b] = [await operands.a.toArray(), await operands.b.toArray()];
  const expected = product(a, b, shape);
  candidate.run(operands);
  expectNear(await operands.out.toArray(), expected);
  const [scale, bias, residual] = [numbers(n, 3), numbers(n, 4), numbers(batch * m * n, 5)];
  const epilogue = {
    scale: Tensor.fromArray(gpu, [n], scale), bias: Tensor.fromArray(gpu, [n], bias), residual: Tensor.fromArray(gpu, [batch, m, n], residual), relu: true,
  };
  candidate.run({ ...operands, ...epilogue });
  expectNear(await operands.out.toArray(), expected.map((v, i) => Math.max(0, v * scale[i % n] + bias[i % n] + residual[i])));
  for (const t of [operands.a, operands.b, operands.out, epilogue.scale, epilogue.bias, epilogue.residual]) t.dispose();
}

/** Candidates of every shape, each checked: a test for each id would compile no more and read worse. */
async function checkAll(shapes: readonly MatmulShape[], candidates: (gpu: Gpu, shape: MatmulShape) => readonly Candidate<MatmulOperands>[]): Promise<string[]> {
  const ids = new Set<string>();
  for (const shape of shapes) {
    for (const candidate of candidates(gpu, shape)) {
      ids.add(candidate.id);
      await check(candidate, shape).catch((error: Error) => {
        throw new Error(`${candidate.id}, ${JSON.stringify(shape)}: ${error.message}`);
      });
    }
  }
  return [...ids].sort();
}

describe('matmul in workgroup memory', () => {
  it.each([0, 1, 2, 3])('around the edges of tiles, transposition %i', async (transposes) => {
    const shapes = [matmulShape(1, 1, 1, transposes), matmulShape(31, 33, 15, transposes), matmulShape(64, 64, 16, transposes), matmulShape(129, 68, 20, transposes)];
    expect(await checkAll(shapes, workgroupCandidates)).toEqual(['workgroup 128x128', 'workgroup 128x64', 'workgroup 32x32', 'workgroup 32x64', 'workgroup 64x64']);
  });

  it('of batches, and split along the depth', async () => {
    const ids = await checkAll([matmulShape(5, 12, 17, 0, 3), matmulShape(9, 7, 300, 0, 2), matmulShape(8, 12, 260, 2)], workgroupCandidates);
    expect(ids).toContain('workgroup 32x32 split');
  });
});
