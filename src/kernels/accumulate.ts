/** Adding to a tensor where it lies: for gradients, which then need no memory for a sum. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import type { Tensor } from '../tensor';
import grid from '../../shaders/lib/grid.wgsl?raw';
import source from '../../shaders/accumulate.wgsl?raw';
import { elements, sameShape } from './launch';

const kernel = new Kernel('accumulate', [grid, source], 'accumulate');

/** `target += x`, of one shape and not the same memory. */
export function accumulate(target: Tensor, x: Tensor): void {
  if (!sameShape(target.shape, x.shape)) throw new ShapeError(`accumulate: ${formatShape(x.shape)} cannot be added to ${formatShape(target.shape)}; they must have one shape`);
  target.gpu.dispatch(kernel, { sum: target.storage, x: x.storage }, { size: target.size }, elements(target.size));
  target.version++;
}
