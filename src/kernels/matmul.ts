/** Matrix products, batched, with either side transposed, and a bias and relu that cost no extra pass. */
import { ShapeError, formatShape } from '../errors';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import source from '../../shaders/matmul.wgsl?raw';
import { sameShape } from './launch';
import { chooseTiling, TiledKernel } from './tiling';
import { swapMatrixAxes } from './transpose';

const kernel = new TiledKernel('matmul', source, 'M');

export interface MatmulOptions {
  /** `a` is [..., k, m] rather than [..., m, k]. Default false. */
  readonly transposeA?: boolean;
  /** `b` is [..., n, k] rather than [..., k, n]. Default false. */
  readonly transposeB?: boolean;
  /** [n], added to every row. */
  readonly bias?: Tensor | undefined;
  /** Ends with max(0, ·), which keeps NaN. Default false. */
  readonly relu?: boolean;
}

/** Up to this many rows, `b` is read across rather than transposed first: the copy would cost as much as the product. */
const FEW_ROWS = 16;

/** The largest number of matrices in one dispatch. */
const BATCH = 32768;

/**
 * `a @ b`: [..., m, k] by [..., k, n] gives [..., m, n]. Leading axes must be equal.
 * @throws ShapeError when the ranks, the leading axes, the inner extents or the bias do not fit.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false, bias, relu = false }: MatmulOptions = {}): Tensor {
  const { batchShape, m, n, k } = matmulShape(a.shape, b.shape, transposeA, transposeB, bias?.shape);
  const batch = sizeOf(batchShape);
  const out = Tensor.empty(a.gpu, [...batchShape, m, n]);
  const across = transposeB && k > 0 && (m <= FEW_ROWS || n % 4 !== 0);
  const straight = transposeB && !across ? swapMatrixAxes(b, [batch, n, 1, k]) : b;

  const tiling = chooseTiling(a.gpu, n, 1, m, across);
  const columns = n / tiling.width;
  const grid = [Math.ceil(columns / tiling.columns / tiling.workgroup[0]), Math.ceil(m / tiling.rows / tiling.workgroup[1])] as const;
  const bindings = { a: a.storage, b: straight.storage, bias: (bias ?? b).storage, out: out.storage };
  for (let first = 0; first < batch; first += BATCH) {
    const params = {
      rows: m,
      columns,
      depth: k,
      a_row: transposeA ? 1 : k,
      a_col: transposeA ? m : 1,
      b_row: across ? 1 : columns,
      b_col: across ? k : 1,
      a_batch: m * k,
      b_batch: k * columns,
      batch: first,
      bias: bias ? 1 : 0,
      relu: relu ? 1 : 0,
    };
    a.gpu.dispatch(kernel.variant(tiling), bindings, params, [...grid, Math.min(BATCH, batch - first)]);
  }
  if (straight !== b) straight.dispose();
  return out;
}

/** Checks the shapes of a product and names its extents. */
function matmulShape(
  a: readonly number[],
  b: readonly number[],
  transposeA: boolean,
  transposeB: boolean,
  bias: readonly number[] | undefined,
): { batchShape: readonly number[]; m: number; n: number; k: number } {
  const got = `got a ${formatShape(a)}${transposeA ? ' transposed' : ''}, b ${formatShape(b)}${transposeB ? ' transposed' : ''}`;
  if (a.length < 2 || b.length < 2) throw new ShapeError(`matmul: both sides need at least 2 axes, ${got}`);
  const batchShape = a.slice(0, -2);
  if (!sameShape(batchShape, b.slice(0, -2))) throw new ShapeError(`matmul: the leading axes must be equal, ${got}`);
  const [m, k] = transposeA ? [a[a.length - 1], a[a.length - 2]] : [a[a.length - 2], a[a.length - 1]];
  const [inner, n] = transposeB ? [b[b.length - 1], b[b.length - 2]] : [b[b.length - 2], b[b.length - 1]];
  if (k !== inner) throw new ShapeError(`matmul: the inner extents must be equal, ${k} is not ${inner}: ${got}`);
  if (bias && !sameShape(bias, [n])) throw new ShapeError(`matmul: the bias must be [${n}], one value a column, got ${formatShape(bias)}`);
  return { batchShape, m, n, k };
}
