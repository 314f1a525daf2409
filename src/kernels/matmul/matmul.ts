/** Matrix products, batched, with either side transposed, and an epilogue that costs no extra pass. */
import { ShapeError, formatShape } from '../../errors';
import type { Gpu } from '../../gpu/gpu';
import { sizeOf } from '../../hostTensor';
import { Tensor, type FloatDtype } from '../../tensor';
import { commonDtype, floatOf } from '../cast';
import { assertEpilogue, type Epilogue } from '../products/epilogue';
import { launch, type Family } from '../products/family';
import { sameShape } from '../launch';
import { narrowCandidates } from './narrow';
import { registerCandidates } from './registers';
import { workgroupCandidates } from './workgroup';
import { subgroupMatrixCandidates } from './subgroupMatrix';

export interface MatmulOptions extends Epilogue {
  /** `a` is [..., k, m] rather than [..., m, k]. Default false. */
  readonly transposeA?: boolean;
  /** `b` is [..., n, k] rather than [..., k, n]. Default false. */
  readonly transposeB?: boolean;
}

/** `batch` products of [m, k] by [k, n]. */
export interface MatmulShape {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Of both sides, the residual and the product in memory. Sums, scale and bias are f32. Default f32. */
  readonly dtype?: FloatDtype;
}

export interface MatmulOperands extends Epilogue {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly out: Tensor;
}

/**
 * `a @ b`: [..., m, k] by [..., k, n] gives [..., m, n]. Leading axes must be equal.
 * Of f16 operands the product is f16, of sums in f32; scale and bias are f32.
 * @throws ShapeError when the ranks, the leading axes, the inner extents or the epilogue do not fit; DtypeError when the
 * operands' types differ.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false, ...epilogue }: MatmulOptions = {}): Tensor {
  const { batchShape, m, n, k } = matmulShape(a.shape, b.shape, transposeA, transposeB);
  const shape = [...batchShape, m, n];
  assertEpilogue('matmul', epilogue, shape);
  const dtype = commonDtype('matmul', { a, b, residual: epilogue.residual });
  const out = Tensor.empty(a.gpu, shape, dtype);
  launch(matmulFamily, a.gpu, { batch: sizeOf(batchShape), m, n, k, transposeA, transposeB, dtype }, { a, b, out, ...epilogue });
  return out;
}

/** `a` [m, k] by `b` [k, n] into `out`, whatever shapes the tensors have: for kernels whose work is a product. */
export function launchMatmul(m: number, n: number, k: number, operands: MatmulOperands, options: Partial<MatmulShape> = {}): void {
  launch(matmulFamily, operands.a.gpu, { batch: 1, m, n, k, transposeA: false, transposeB: false, dtype: floatOf(operands.a), ...options }, operands);
}

export const matmulFamily: Family<MatmulShape, MatmulOperands> = {
  name: 'matmul',

  candidates(gpu: Gpu, shape: MatmulShape) {
    const [registers, workgroup, narrow] = [registerCandidates, workgroupCandidates, narrowCandidates].map((offer) => offer(gpu, shape));
    const { m, n, transposeB } = shape;
    // Workgroup memory saves reads on a GPU; on a CPU adapter it is memory like any other, and a few rows are better off
    // with a kernel of their own only where it spares turning b over.
    if (gpu.adapter.software) return transposeB && m < 8 ? [...narrow, ...registers, ...workgroup] : [...registers, ...narrow, ...workgroup];
    return Math.min(m, n) < 32 ? [...narrow, ...registers, ...workgroup] : [...workgroup, ...subgroupMatrixCandidates(gpu, shape), ...registers, ...narrow];
  },

  classOf({ batch, m, n, k, transposeA, transposeB, dtype }) {
    return `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'} b${rounded(batch)} m${rounded(m)} n${rounded(n)} k${rounded(k)}${classSuffix(dtype)}`;
  },

  operands(gpu, { batch, m, n, k, transposeA, transposeB, dtype }, random) {
    const make = (rows: number, cols: number): Tensor => Tensor.fromArray(gpu, [batch, rows, cols], random(batch * rows * cols), dtype);
    return {
      a: transposeA ? make(k, m) : make(m, k),
      b: transposeB ? make(n, k) : make(k, n),
      out: Tensor.empty(gpu, [batch, m, n], dtype),
    };
  },

  operations: ({ batch, m, n, k }) => 2 * batch * m * n * k,
};

/** Problems of f16 are classes of their own; those of f32 have the names they always had. */
export function classSuffix(dtype: FloatDtype | undefined): string {
  return dtype === 'f16' ? ' f16' : '';
}

/** Extents of one class: within an eighth of their power of two. */
export function rounded(extent: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(extent)) - 2);
  return Math.ceil(extent / step) * step;
}

/** Checks the shapes of a product and names its extents. */
function matmulShape(
  a: readonly number[],
  b: readonly number[],
  transposeA: boolean,
  transposeB: boolean,
): { batchShape: readonly number[]; m: number; n: number; k: number } {
  const got = `got a ${formatShape(a)}${transposeA ? ' transposed' : ''}, b ${formatShape(b)}${transposeB ? ' transposed' : ''}`;
  if (a.length < 2 || b.length < 2) throw new ShapeError(`matmul: both sides need at least 2 axes, ${got}`);
  const batchShape = a.slice(0, -2);
  if (!sameShape(batchShape, b.slice(0, -2))) throw new ShapeError(`matmul: the leading axes must be equal, ${got}`);
  const [m, k] = transposeA ? [a[a.length - 1], a[a.length - 2]] : [a[a.length - 2], a[a.length - 1]];
  const [inner, n] = transposeB ? [b[b.length - 1], b[b.length - 2]] : [b[b.length - 2], b[b.length - 1]];
  if (k !== inner) throw new ShapeError(`matmul: the inner extents must be equal, ${k} is not ${inner}: ${got}`);
  return { batchShape, m, n, k };
}
