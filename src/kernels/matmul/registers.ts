/** Matrix products in registers only: what a CPU adapter wants, and small matrices everywhere. */
import type { Gpu } from '../../gpu/gpu';
import registerSource from '../../../shaders/matmul.wgsl?raw';
import { epilogueBindings, epilogueParams } from '../products/epilogue';
import type { Candidate } from '../products/family';
import type { MatmulOperands, MatmulShape } from './matmul';
import { rankTilings, tilingId, TiledKernel, type Tiling } from '../products/tiling';
import { swapMatrixAxes } from '../transpose';

const kernel = new TiledKernel('matmul', registerSource, 'M');

/** Up to this many rows, `b` is read across rather than transposed first: the copy would cost as much as the product. */
const FEW_ROWS = 16;

/** The largest number of matrices in one dispatch. */
const BATCH = 32768;

/** A transposed `b` is turned over first, or read as it lies (`across`). */
export function registerCandidates(gpu: Gpu, shape: MatmulShape): Candidate<MatmulOperands>[] {
  const { m, n, k, transposeB } = shape;
  const tilings = rankTilings(gpu, { columns: n, groups: 1, rows: m, depth: k });
  const straight = tilings.map((tiling) => ({
    id: `registers ${tilingId(tiling)}`,
    run: (operands: MatmulOperands) => multiply(shape, operands, tiling, false),
  }));
  if (!transposeB) return straight;
  const across = tilings
    .filter(({ width }) => width === 1)
    .map((tiling) => ({ id: `across ${tilingId(tiling)}`, run: (operands: MatmulOperands) => multiply(shape, operands, tiling, true) }));
  return m <= FEW_ROWS ? [...across, ...straight] : [...straight, ...across];
}

function multiply({ batch, m, n, k, transposeA, transposeB, dtype }: MatmulShape, operands: MatmulOperands, tiling: Tiling, across: boolean): void {
  const { a, b, out } = operands;
  const { gpu } = a;
  const straight = transposeB && !across ? swapMatrixAxes(b, [batch, n, 1, k]) : b;
  const columns = n / tiling.width;
  const [a_row, a_col] = transposeA ? [1, m] : [k, 1];
  const [b_row, b_col] = across ? [1, k] : [columns, 1];
  const distances = { rows: m, columns, depth: k, a_row, a_col, b_row, b_col, a_batch: m * k, b_batch: k * columns };
  const bindings = { a: a.storage, b: straight.storage, ...epilogueBindings(operands, b), out: out.storage };
  const x = Math.ceil(columns / tiling.columns / tiling.workgroup[0]);
  const y = Math.ceil(m / tiling.rows / tiling.workgroup[1]);
  for (let first = 0; first < batch; first += BATCH) {
    gpu.dispatch(kernel.variant(tiling, dtype), bindings, { ...distances, batch: first, ...epilogueParams(operands) }, [x, y, Math.min(BATCH, batch - first)]);
  }
  if (straight !== b) straight.dispose();
}
