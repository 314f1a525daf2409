/** Matrix products with tiles of both sides in workgroup memory, for GPUs: shaders/matmulWorkgroup.wgsl. */
import type { Gpu } from '../../gpu/gpu';
import tileLib from '../../../shaders/lib/workgroupTile.wgsl?raw';
import source from '../../../shaders/matmulWorkgroup.wgsl?raw';
import { floatOf } from '../cast';
import { epilogueBindings, epilogueParams } from '../products/epilogue';
import { EpilogueKernel, elementSpec } from '../products/epilogueKernel';
import type { Candidate } from '../products/family';
import type { MatmulOperands, MatmulShape } from './matmul';
import { inParts } from '../products/splitSum';
import { GRID, rankPlans, tileSpec, type Plan, type Sides } from '../products/workgroupTile';

const kernel = new EpilogueKernel('matmul_workgroup', 'matmul_workgroup', [tileLib, source]);

export function workgroupCandidates(gpu: Gpu, shape: MatmulShape): Candidate<MatmulOperands>[] {
  const { batch, m, n, k, transposeA, transposeB } = shape;
  const sides: Sides = { leftAlong: !transposeA, rightAlong: transposeB };
  const plans = rankPlans(gpu, { m, n, groups: batch, depthSteps: (depth) => Math.ceil(k / depth), ...sides });
  return plans
    .filter(({ tile }) => Math.max(m / tile.m, n / tile.n) <= GRID)
    .map((plan) => ({ id: plan.id, run: (operands) => inParts(gpu, plan.splits, operands, (parts) => multiply(shape, parts, plan, sides)) }));
}

function multiply({ batch, m, n, k }: MatmulShape, operands: MatmulOperands, { tile, splits, steps }: Plan, sides: Sides): void {
  const { a, b, out } = operands;
  const [aRow, bRow] = [sides.leftAlong ? k : m, sides.rightAlong ? k : n];
  const dtype = floatOf(a);
  const spec = { ...tileSpec(tile, sides), ...elementSpec('A', aRow, dtype), ...elementSpec('B', bRow, dtype) };
  const variant = kernel.variant(n, { dtype, out: floatOf(out) }, spec);
  const bindings = { a: a.storage, b: b.storage, ...epilogueBindings(operands, b), out: out.storage };
  const params = { rows: m, columns: n, depth: k, a_stride: aRow, b_stride: bRow, a_batch: m * k, b_batch: k * n, matrices: batch, steps };
  const most = Math.floor(GRID / splits);
  for (let first = 0; first < batch; first += most) {
    const batches = Math.min(most, batch - first);
    const grid = [Math.ceil(n / tile.n), Math.ceil(m / tile.m), batches * splits] as const;
    a.gpu.dispatch(variant, bindings, { ...params, batch: first, batches, ...epilogueParams(operands) }, grid);
  }
}
