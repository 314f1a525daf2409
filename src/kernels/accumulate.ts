/** Adding to a tensor where it lies: for gradients, which then need no memory for a sum. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import type { Tensor } from '../tensor';
import span from '../../shaders/lib/span.wgsl?raw';
import source from '../../shaders/accumulate.wgsl?raw';
import { fours, sameShape, strided } from './launch';

const kernel = new Kernel('accumulate', [span, source], 'accumulate');
const clearKernel = new Kernel('clear', [span, source], 'clear');

/** `target += x`, of one shape and not the same memory. */
export function accumulate(target: Tensor, x: Tensor): void {
  if (!sameShape(target.shape, x.shape)) throw new ShapeError(`accumulate: ${formatShape(x.shape)} cannot be added to ${formatShape(target.shape)}; they must have one shape`);
  target.gpu.dispatch(kernel, { sum: target.storage, x: x.storage }, { size: fours(target) }, strided(target.gpu, fours(target)));
  target.version++;
}

/** Zeros, where they lie. */
export function clear(target: Tensor): void {
  target.gpu.dispatch(clearKernel, { sum: target.storage }, { size: fours(target) }, strided(target.gpu, fours(target)));
}
