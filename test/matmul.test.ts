/** Matrix products against plain loops in double precision. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { Gpu, type AdapterFacts } from '../src/gpu/gpu';
import { matmul } from '../src/kernels/matmul/matmul';
import { Tensor } from '../src/tensor';
import { expectNear, numbers } from './support/numbers';

/** Batch, m, n, k. */
const SIZES: readonly (readonly [number, number, number, number])[] = [
  [1, 1, 1, 1],
  [1, 1, 1000, 512],
  [1, 2, 10, 512],
  [1, 5, 7, 3],
  [1, 8, 8, 8],
  [1, 16, 102, 64],
  [1, 33, 20, 17],
  [1, 64, 64, 64],
  [1, 100, 36, 70],
  [1, 130, 129, 131],
  [1, 200, 3, 9],
  [3, 4, 5, 6],
  [5, 17, 12, 9],
  [40000, 1, 2, 3],
];

function product(a: Float32Array, b: Float32Array, [batch, m, n, k]: readonly number[], transposeA: boolean, transposeB: boolean): Float64Array {
  const out = new Float64Array(batch * m * n);
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++)
        for (let l = 0; l < k; l++) {
          const left = a[z * m * k + (transposeA ? l * m + i : i * k + l)];
          out[(z * m + i) * n + j] += left * b[z * k * n + (transposeB ? j * k + l : l * n + j)];
        }
  return out;
}

/** How this adapter would run it, and the two ways of other adapters: without subgroups, and as on a GPU. */
const WAYS: readonly [string, Partial<AdapterFacts>][] = [
  ['as this adapter does', {}],
  ['without sharing', { software: true, sharedLanes: 1 }],
  ['in workgroup memory', { software: false, sharedLanes: 1 }],
];

describe.each(WAYS)('matmul, %s', (_, facts) => {
  let gpu: Gpu;
  beforeAll(async () => {
    const opened = await openGpu();
    gpu = new Gpu(opened.device, { ...opened.adapter, ...facts });
  });
  afterAll(() => gpu.destroy());

  describe.each(SIZES)('batch %i, m %i, n %i, k %i', (batch, m, n, k) => {
    it.each([
      ['plain', false, false],
      ['a transposed', true, false],
      ['b transposed', false, true],
      ['both transposed', true, true],
    ])('%s', async (_, transposeA, transposeB) => {
      const [a, b] = [numbers(batch * m * k, 1), numbers(batch * n * k, 2)];
      const lead = batch === 1 ? [] : [batch];
      const ta = Tensor.fromArray(gpu, [...lead, ...(transposeA ? [k, m] : [m, k])], a);
      const tb = Tensor.fromArray(gpu, [...lead, ...(transposeB ? [n, k] : [k, n])], b);
      const out = matmul(ta, tb, { transposeA, transposeB });
      expect(out.shape).toEqual([...lead, m, n]);
      const expected = product(a, b, [batch, m, n, k], transposeA, transposeB);
      expectNear(await out.toArray(), expected);

      const bias = numbers(n, 3);
      const fused = matmul(ta, tb, { transposeA, transposeB, bias: Tensor.fromArray(gpu, [n], bias), relu: true });
      expectNear(await fused.toArray(), expected.map((v, i) => Math.max(0, v + bias[i % n])));
    });
  });

  it('keeps NaN and infinities where they belong', async () => {
    const [a, b] = [numbers(20 * 12, 1), numbers(12 * 24, 2)];
    a[5] = NaN;
    a[30] = Infinity;
    const out = matmul(Tensor.fromArray(gpu, [20, 12], a), Tensor.fromArray(gpu, [12, 24], b), { relu: true });
    expectNear(await out.toArray(), product(a, b, [1, 20, 24, 12], false, false).map((v) => (v < 0 ? 0 : v)));
  });

  it('names the rule and the shapes when they do not fit', () => {
    const empty = (...shape: number[]): Tensor => Tensor.empty(gpu, shape);
    expect(() => matmul(empty(3), empty(3, 4))).toThrow(/at least 2 axes, got a \[3\], b \[3, 4\]/);
    expect(() => matmul(empty(2, 3), empty(4, 5))).toThrow(/inner extents must be equal, 3 is not 4/);
    expect(() => matmul(empty(2, 2, 3), empty(3, 3, 5))).toThrow(/leading axes must be equal/);
    expect(() => matmul(empty(2, 3), empty(3, 5), { bias: empty(4) })).toThrow(/bias must be \[5\]/);
  });
});
