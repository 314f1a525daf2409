/** Matrix products with tiles of both sides in workgroup memory, for GPUs. */
import type { Gpu } from '../gpu/gpu';
import { Kernel } from '../gpu/kernel';
import tiledSource from '../../shaders/matmulTiled.wgsl?raw';
import { epilogueBindings, epilogueParams } from './epilogue';
import type { Candidate } from './family';
import type { MatmulOperands, MatmulShape } from './matmul';
import { BATCH } from './matmulRegisters';

const kernel = new Kernel('matmul_tiled', [tiledSource], 'matmul_tiled');

/** Rows and columns that one workgroup computes. */
const TILE = 64;

export function workgroupCandidates(_: Gpu, shape: MatmulShape): Candidate<MatmulOperands>[] {
  return [{ id: `workgroup ${TILE}x${TILE}`, run: (operands) => multiply(shape, operands) }];
}

function multiply({ batch, m, n, k, transposeA, transposeB }: MatmulShape, operands: MatmulOperands): void {
  const { a, b, out } = operands;
  const [a_row, a_col] = transposeA ? [1, m] : [k, 1];
  const [b_row, b_col] = transposeB ? [1, k] : [n, 1];
  const distances = { rows: m, columns: n, depth: k, a_row, a_col, b_row, b_col, a_batch: m * k, b_batch: k * n };
  const bindings = { a: a.storage, b: b.storage, ...epilogueBindings(operands, b), out: out.storage };
  const [x, y] = [Math.ceil(n / TILE), Math.ceil(m / TILE)];
  for (let first = 0; first < batch; first += BATCH) {
    a.gpu.dispatch(kernel, bindings, { ...distances, batch: first, ...epilogueParams(operands) }, [x, y, Math.min(BATCH, batch - first)]);
  }
}
