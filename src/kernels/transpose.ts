/** Swaps the axes of matrices in memory, for the products that want them the other way round. */
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import source from '../../shaders/transpose.wgsl?raw';

const kernel = new Kernel('transpose', [source], 'transpose');

/** `[batch, rows, groups, cols]` becomes `[batch, cols, groups, rows]`; `x` may have any shape of that size. */
export function swapMatrixAxes(x: Tensor, [batch, rows, groups, cols]: readonly [number, number, number, number]): Tensor {
  const out = Tensor.empty(x.gpu, [batch, cols, groups, rows]);
  const matrices = batch * groups;
  x.gpu.dispatch(
    kernel,
    { x: x.storage, out: out.storage },
    { rows, groups, cols, matrices },
    [Math.ceil(rows / 64), Math.ceil(cols / 8), Math.min(matrices, 32768)],
  );
  return out;
}
