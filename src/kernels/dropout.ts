/** Dropout: forward and backward are the same kernel with the same seed. */
import { UsageError } from '../errors';
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import span from '../../shaders/lib/span.wgsl?raw';
import source from '../../shaders/dropout.wgsl?raw';
import { fours, strided } from './launch';

const kernel = new Kernel('dropout', [span, source], 'dropout');

/** Zeroes each element with probability `p` and divides the others by `1 - p`. `seed` holds one u32. */
export function dropout(x: Tensor, p: number, seed: Tensor): Tensor {
  if (!(p >= 0 && p < 1)) throw new UsageError(`dropout: p must be at least 0 and below 1, got ${p}`);
  const out = Tensor.empty(x.gpu, x.shape);
  const params = { size: fours(x), threshold: Math.floor(p * 2 ** 32), keep_scale: 1 / (1 - p) };
  x.gpu.dispatch(kernel, { x: x.storage, seed: seed.storage, out: out.storage }, params, strided(x.gpu, fours(x)));
  return out;
}
