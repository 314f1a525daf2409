/** Swaps the axes of matrices in memory, for the products that want them the other way round. */
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import half from '../../shaders/lib/half.wgsl?raw';
import source from '../../shaders/transpose.wgsl?raw';

const full = new Kernel('transpose', [source], 'transpose');
const halved = new Kernel('transpose f16', [half, source], 'transpose').variant({ spec: { Element: 'f16' } });

/** `[batch, rows, groups, cols]` becomes `[batch, cols, groups, rows]`; `x` may have any shape of that size. */
export function swapMatrixAxes(x: Tensor, [batch, rows, groups, cols]: readonly [number, number, number, number]): Tensor {
  const out = Tensor.empty(x.gpu, [batch, cols, groups, rows], x.dtype);
  const matrices = batch * groups;
  x.gpu.dispatch(
    x.dtype === 'f16' ? halved : full,
    { x: x.storage, out: out.storage },
    { rows, groups, cols, matrices },
    [Math.ceil(rows / 64), Math.ceil(cols / 8), Math.min(matrices, 32768)],
  );
  return out;
}
