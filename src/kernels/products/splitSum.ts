/** The second pass of products whose depth was split over workgroups: the parts are added in order, so bits repeat. */
import type { Gpu } from '../../gpu/gpu';
import { Kernel } from '../../gpu/kernel';
import { sizeOf } from '../../hostTensor';
import { Tensor } from '../../tensor';
import gridLib from '../../../shaders/lib/grid.wgsl?raw';
import halfLib from '../../../shaders/lib/half.wgsl?raw';
import source from '../../../shaders/splitSum.wgsl?raw';
import { columnType, floatOf } from '../cast';
import { epilogueBindings, epilogueParams, type Epilogue } from './epilogue';
import { elements } from '../launch';

const kernels = {
  f32: new Kernel('split_sum', [gridLib, source], 'split_sum'),
  f16: new Kernel('split_sum f16', [halfLib, gridLib, source], 'split_sum'),
};

/**
 * Runs `product` so that it writes `splits` parts one after another, each of `out`'s size, f32 and without an epilogue, then
 * adds them into `out` and ends them as asked. With one part, `product` writes `out` and ends it itself.
 */
export function inParts<O extends Epilogue & { readonly out: Tensor }>(gpu: Gpu, splits: number, operands: O, product: (operands: O) => void): void {
  if (splits === 1) return product(operands);
  const { out } = operands;
  const parts = Tensor.empty(gpu, [splits, ...out.shape]);
  product({ ...operands, scale: undefined, bias: undefined, residual: undefined, relu: false, out: parts });
  const columns = out.shape[out.shape.length - 1];
  const width = columns % 4 === 0 ? 4 : 1;
  const dtype = floatOf(out);
  gpu.dispatch(
    kernels[dtype].variant({ spec: { Column: columnType(width, 'f32'), Stored: columnType(width, dtype) } }),
    { x: parts.storage, ...epilogueBindings(operands, parts), out: out.storage },
    { size: sizeOf(out.shape) / width, columns: columns / width, parts: splits, ...epilogueParams(operands) },
    elements(sizeOf(out.shape) / width),
  );
  parts.dispose();
}
