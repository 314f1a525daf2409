/** Matrix products with tiles of both sides in workgroup memory, for GPUs: shaders/matmulWorkgroup.wgsl. */
import type { Gpu } from '../gpu/gpu';
import source from '../../shaders/matmulWorkgroup.wgsl?raw';
import { epilogueBindings, epilogueParams } from './epilogue';
import type { Candidate } from './family';
import type { MatmulOperands, MatmulShape } from './matmul';
import { inParts } from './splitSum';
import { GRID, WorkgroupKernel, elementSpec, rankPlans, type Plan, type Sides } from './workgroupTile';

const kernel = new WorkgroupKernel('matmul_workgroup', source);

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
  const variant = kernel.variant(tile, sides, n, { ...elementSpec('A', aRow), ...elementSpec('B', bRow) });
  const bindings = { a: a.storage, b: b.storage, ...epilogueBindings(operands, b), out: out.storage };
  const params = { rows: m, columns: n, depth: k, a_stride: aRow, b_stride: bRow, a_batch: m * k, b_batch: k * n, matrices: batch, steps };
  const most = Math.floor(GRID / splits);
  for (let first = 0; first < batch; first += most) {
    const batches = Math.min(most, batch - first);
    const grid = [Math.ceil(n / tile.n), Math.ceil(m / tile.m), batches * splits] as const;
    a.gpu.dispatch(variant, bindings, { ...params, batch: first, batches, ...epilogueParams(operands) }, grid);
  }
}
