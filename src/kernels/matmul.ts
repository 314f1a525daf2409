/** Matrix products, batched, with either side transposed, and an epilogue that costs no extra pass. */
import { ShapeError, formatShape } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import { assertEpilogue, type Epilogue } from './epilogue';
import { launch, type Family } from './family';
import { sameShape } from './launch';
import { registerCandidates } from './matmulRegisters';
import { workgroupCandidates } from './matmulWorkgroup';

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
}

export interface MatmulOperands extends Epilogue {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly out: Tensor;
}

/**
 * `a @ b`: [..., m, k] by [..., k, n] gives [..., m, n]. Leading axes must be equal.
 * @throws ShapeError when the ranks, the leading axes, the inner extents or the epilogue do not fit.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false, ...epilogue }: MatmulOptions = {}): Tensor {
  const { batchShape, m, n, k } = matmulShape(a.shape, b.shape, transposeA, transposeB);
  const shape = [...batchShape, m, n];
  assertEpilogue('matmul', epilogue, shape);
  const out = Tensor.empty(a.gpu, shape);
  launch(matmulFamily, a.gpu, { batch: sizeOf(batchShape), m, n, k, transposeA, transposeB }, { a, b, out, ...epilogue });
  return out;
}

/** `a` [m, k] by `b` [k, n], or [n, k] with `transposeB`, into `out`: for kernels whose work is a product. */
export function launchMatmul(m: number, n: number, k: number, operands: MatmulOperands, transposeB = false, batch = 1): void {
  launch(matmulFamily, operands.a.gpu, { batch, m, n, k, transposeA: false, transposeB }, operands);
}

export const matmulFamily: Family<MatmulShape, MatmulOperands> = {
  name: 'matmul',

  candidates(gpu: Gpu, shape: MatmulShape) {
    const [registers, workgroup] = [registerCandidates(gpu, shape), workgroupCandidates(gpu, shape)];
    // Workgroup memory saves reads on a GPU; on a CPU adapter it is memory like any other.
    return gpu.adapter.software || Math.min(shape.m, shape.n) < 32 ? [...registers, ...workgroup] : [...workgroup, ...registers];
  },

  classOf({ batch, m, n, k, transposeA, transposeB }) {
    return `${transposeA ? 'T' : 'N'}${transposeB ? 'T' : 'N'} b${rounded(batch)} m${rounded(m)} n${rounded(n)} k${rounded(k)}`;
  },

  operands(gpu, { batch, m, n, k, transposeA, transposeB }, random) {
    const make = (rows: number, cols: number): Tensor => Tensor.fromArray(gpu, [batch, rows, cols], random(batch * rows * cols));
    return {
      a: transposeA ? make(k, m) : make(m, k),
      b: transposeB ? make(n, k) : make(k, n),
      out: Tensor.empty(gpu, [batch, m, n]),
    };
  },

  operations: ({ batch, m, n, k }) => 2 * batch * m * n * k,
};

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
