/** Mean squared error and its gradient. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import span from '../../shaders/lib/span.wgsl?raw';
import source from '../../shaders/mse.wgsl?raw';
import { fours, sameShape, strided } from './launch';
import { mean } from './reduce';

const forward = new Kernel('squared_error', [span, source], 'squared_error');
const backward = new Kernel('squared_error_backward', [span, source], 'squared_error_backward');

/** Mean of (x - target)^2 over all elements, a scalar. */
export function mse(x: Tensor, target: Tensor): Tensor {
  if (!sameShape(x.shape, target.shape)) {
    throw new ShapeError(`mse_loss: input ${formatShape(x.shape)} and target ${formatShape(target.shape)} must have one shape`);
  }
  const squares = Tensor.empty(x.gpu, x.shape);
  const bindings = { x: x.storage, goal: target.storage, out: squares.storage };
  x.gpu.dispatch(forward, bindings, { size: fours(x), factor: 1 }, strided(x.gpu, fours(x)));
  return mean(squares);
}

/** `sign * 2 (x - target) / count * dy`: the input's gradient for sign 1, the target's for -1. */
export function mseBackward(x: Tensor, target: Tensor, dy: Tensor, sign: 1 | -1): Tensor {
  const out = Tensor.empty(x.gpu, x.shape);
  const bindings = { x: x.storage, goal: target.storage, dy: dy.storage, out: out.storage };
  x.gpu.dispatch(backward, bindings, { size: fours(x), factor: (2 * sign) / x.size }, strided(x.gpu, fours(x)));
  return out;
}
