/** Matrix products with few rows, such as a classifier's head on a batch: shaders/matmulNarrow.wgsl. */
import type { Gpu } from '../../gpu/gpu';
import source from '../../../shaders/matmulNarrow.wgsl?raw';
import { floatOf } from '../cast';
import { epilogueBindings, epilogueParams } from '../products/epilogue';
import { EpilogueKernel, elementSpec } from '../products/epilogueKernel';
import type { Candidate } from '../products/family';
import type { MatmulOperands, MatmulShape } from './matmul';
import { GRID } from '../products/workgroupTile';

const kernel = new EpilogueKernel('matmul_narrow', 'matmul_narrow', [source]);

/** More rows than this read b too often. */
const MOST_ROWS = 64;

/** Columns in fours, and slices of the depth, of a workgroup. */
type Workgroup = readonly [groups: number, slices: number];

export function narrowCandidates(gpu: Gpu, shape: MatmulShape): Candidate<MatmulOperands>[] {
  const { m, k, transposeB } = shape;
  if (m > MOST_ROWS) return [];
  const rows = [8, 4, 2].find((count) => m >= count) ?? 1;
  return workgroups(gpu, k, transposeB).map(([groups, slices]) => ({
    id: `narrow r${rows} ${groups}x${slices}`,
    run: (operands) => multiply(shape, operands, rows, [groups, slices]),
  }));
}

/** Long depths are shared by more invocations. A subgroup of 32 reads 128 bytes or more in one piece in each. */
function workgroups({ adapter }: Gpu, k: number, along: boolean): Workgroup[] {
  // A CPU adapter gains where it saves turning b over for two to seven rows; memory in one piece means nothing to it.
  if (adapter.software) return along ? [[64, 1]] : [];
  if (along) return k > 256 ? [[4, 32], [8, 8], [2, 64]] : [[8, 8], [4, 32]];
  return k > 256 ? [[16, 8], [8, 16], [32, 4]] : [[32, 4], [16, 8]];
}

function multiply({ batch, m, n, k, transposeA, transposeB }: MatmulShape, operands: MatmulOperands, rows: number, [groups, slices]: Workgroup): void {
  const { a, b, out } = operands;
  const [a_row, a_col] = transposeA ? [1, m] : [k, 1];
  const stride = transposeB ? k : n;
  const dtype = floatOf(a);
  const spec = {
    ...elementSpec('A', a_col === 1 ? k : 1, dtype), ...elementSpec('B', stride, dtype),
    B_ALONG: String(transposeB), ROWS: rows, GROUPS: groups, SLICES: slices,
  };
  const variant = kernel.variant(n, { dtype, out: floatOf(out) }, spec);
  const bindings = { a: a.storage, b: b.storage, ...epilogueBindings(operands, b), out: out.storage };
  const params = { rows: m, columns: n, depth: k, a_row, a_col, b_stride: stride, a_batch: m * k, b_batch: k * n };
  for (let first = 0; first < batch; first += GRID) {
    const grid = [Math.ceil(n / 4 / groups), Math.ceil(m / rows), Math.min(GRID, batch - first)] as const;
    a.gpu.dispatch(variant, bindings, { ...params, batch: first, ...epilogueParams(operands) }, grid);
  }
}
