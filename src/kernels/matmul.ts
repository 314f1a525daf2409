/** Matrix products, batched, with either side transposed, and a bias and relu that cost no extra pass. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import registerSource from '../../shaders/matmul.wgsl?raw';
import tiledSource from '../../shaders/matmulTiled.wgsl?raw';
import { sameShape } from './launch';
import { chooseTiling, TiledKernel } from './tiling';
import { swapMatrixAxes } from './transpose';

const registerKernel = new TiledKernel('matmul', registerSource, 'M');
const tiledKernel = new Kernel('matmul_tiled', [tiledSource], 'matmul_tiled');

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

/** Rows and columns that one workgroup of shaders/matmulTiled.wgsl computes. */
const TILE = 64;

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
  const product: Product = { a, b, bias, out, batch, m, n, k, transposeA, transposeB, relu };
  // Workgroup memory saves reads on a GPU; on a CPU adapter it is memory like any other.
  if (!a.gpu.adapter.software && m >= TILE / 2 && n >= TILE / 2) inWorkgroupMemory(product);
  else inRegisters(product);
  return out;
}

interface Product {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly bias: Tensor | undefined;
  readonly out: Tensor;
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly relu: boolean;
}

function inRegisters(product: Product): void {
  const { a, b, batch, m, n, k, transposeB } = product;
  const across = transposeB && m <= FEW_ROWS;
  const straight = transposeB && !across ? swapMatrixAxes(b, [batch, n, 1, k]) : b;
  const tiling = chooseTiling(a.gpu, n, 1, m, across);
  const columns = n / tiling.width;
  const grid = [Math.ceil(columns / tiling.columns / tiling.workgroup[0]), Math.ceil(m / tiling.rows / tiling.workgroup[1])] as const;
  const [b_row, b_col] = across ? [1, k] : [columns, 1];
  dispatchBatches(registerKernel.variant(tiling), { ...product, b: straight }, grid, { columns, b_row, b_col, b_batch: k * columns });
  if (straight !== b) straight.dispose();
}

function inWorkgroupMemory(product: Product): void {
  const { m, n, k, transposeB } = product;
  const grid = [Math.ceil(n / TILE), Math.ceil(m / TILE)] as const;
  const [b_row, b_col] = transposeB ? [1, k] : [n, 1];
  dispatchBatches(tiledKernel, product, grid, { columns: n, b_row, b_col, b_batch: k * n });
}

/** `right` describes b: its columns, as the kernel counts them, and distances in the same unit. */
function dispatchBatches(
  kernel: Kernel,
  { a, b, bias, out, batch, m, k, transposeA, relu }: Product,
  [x, y]: readonly [number, number],
  right: Readonly<Record<'columns' | 'b_row' | 'b_col' | 'b_batch', number>>,
): void {
  const bindings = { a: a.storage, b: b.storage, bias: (bias ?? b).storage, out: out.storage };
  const [a_row, a_col] = transposeA ? [1, m] : [k, 1];
  for (let first = 0; first < batch; first += BATCH) {
    const params = { rows: m, depth: k, a_row, a_col, a_batch: m * k, ...right, batch: first, bias: bias ? 1 : 0, relu: relu ? 1 : 0 };
    a.gpu.dispatch(kernel, bindings, params, [x, y, Math.min(BATCH, batch - first)]);
  }
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
