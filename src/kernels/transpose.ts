/** Swaps the axes of matrices in memory, for the products that want them the other way round. */
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import grid from '../../shaders/lib/grid.wgsl?raw';
import source from '../../shaders/transpose.wgsl?raw';
import { elements } from './launch';

const kernel = new Kernel('transpose', [grid, source], 'transpose');

/** `[batch, rows, groups, cols]` becomes `[batch, cols, groups, rows]`; `x` may have any shape of that size. */
export function swapMatrixAxes(x: Tensor, [batch, rows, groups, cols]: readonly [number, number, number, number]): Tensor {
  const out = Tensor.empty(x.gpu, [batch, cols, groups, rows]);
  const size = batch * rows * groups * cols;
  x.gpu.dispatch(kernel, { x: x.storage, out: out.storage }, { size, rows, groups, cols }, elements(size));
  return out;
}
