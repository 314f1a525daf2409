/**
 * Matrix products on a GPU's matrix units, where the experimental feature exists: shaders/matmulSubgroupMatrix.wgsl.
 * Never a default: the feature's rules still change, and no adapter that has it was at hand. The tuner checks numbers
 * before it times, so it may choose what proves right and fast.
 */
import { matrixUnits, type MatrixConfig } from '../../gpu/adapter';
import type { Gpu } from '../../gpu/gpu';
import type { FloatDtype } from '../../tensor';
import enableLib from '../../../shaders/lib/subgroupMatrix.wgsl?raw';
import source from '../../../shaders/matmulSubgroupMatrix.wgsl?raw';
import { floatOf } from '../cast';
import { epilogueBindings, epilogueParams } from '../products/epilogue';
import { EpilogueKernel, elementSpec } from '../products/epilogueKernel';
import type { Candidate } from '../products/family';
import type { MatmulOperands, MatmulShape } from './matmul';
import { GRID } from '../products/workgroupTile';

const kernel = new EpilogueKernel('matmul_subgroup_matrix', 'matmul_subgroup_matrix', [source], [enableLib]);

/** Rows and columns that one workgroup computes, and a side of one subgroup's part. */
const TILE = 64;
const REGION = 32;

/** Depths that may be held in workgroup memory at a time, the best first: 64 bytes of a row if they fit. */
const DEPTHS: Readonly<Record<FloatDtype, readonly number[]>> = { f32: [16], f16: [32, 16] };

export function subgroupMatrixCandidates(gpu: Gpu, shape: MatmulShape): Candidate<MatmulOperands>[] {
  const { m, n, dtype = 'f32' } = shape;
  const { limits } = gpu.device;
  const units = matrixUnits(gpu.device);
  // The shader shares work among four subgroups, so it must know their size.
  if (!units || (units.subgroup !== 32 && units.subgroup !== 64) || 4 * units.subgroup > limits.maxComputeInvocationsPerWorkgroup) return [];
  if (Math.min(m, n) < REGION || Math.max(m, n) / TILE > GRID) return [];
  return units.configs.flatMap((config) => {
    const { componentType, resultComponentType, M, N, K } = config;
    if (componentType !== dtype || resultComponentType !== 'f32' || REGION % M !== 0 || REGION % N !== 0) return [];
    const depth = DEPTHS[dtype].find((d) => d % K === 0 && memoryOf(d, M, dtype) <= limits.maxComputeWorkgroupStorageSize);
    if (depth === undefined) return [];
    return [{ id: `subgroup matrix ${M}x${N}x${K}`, run: (operands: MatmulOperands) => multiply(shape, operands, config, depth, units.subgroup) }];
  });
}

/** Bytes of workgroup memory: both sides with their padding, and a strip of the sums. */
function memoryOf(depth: number, rows: number, dtype: FloatDtype): number {
  return (dtype === 'f16' ? 2 : 4) * (TILE * (depth + 8) + depth * (TILE + 8)) + 4 * 4 * rows * REGION;
}

function multiply(
  { batch, m, n, k, transposeA, transposeB }: MatmulShape,
  operands: MatmulOperands,
  { M, N, K }: MatrixConfig,
  depth: number,
  subgroup: number,
): void {
  const { a, b, out } = operands;
  const [aRow, bRow] = [transposeA ? m : k, transposeB ? k : n];
  const dtype = floatOf(a);
  const variant = kernel.variant(n, { dtype, out: floatOf(out) }, {
    ...elementSpec('A', aRow, dtype), ...elementSpec('B', bRow, dtype), Element: dtype,
    LEFT_ALONG: String(!transposeA), RIGHT_ALONG: String(transposeB), SUBGROUP: subgroup, DEPTH: depth, UNIT_M: M, UNIT_N: N, UNIT_K: K,
  });
  const bindings = { a: a.storage, b: b.storage, ...epilogueBindings(operands, b), out: out.storage };
  const params = { rows: m, columns: n, depth: k, a_stride: aRow, b_stride: bRow, a_batch: m * k, b_batch: k * n };
  for (let first = 0; first < batch; first += GRID) {
    const grid = [Math.ceil(n / TILE), Math.ceil(m / TILE), Math.min(GRID, batch - first)] as const;
    a.gpu.dispatch(variant, bindings, { ...params, batch: first, ...epilogueParams(operands) }, grid);
  }
}
