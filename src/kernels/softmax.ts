/** Softmax and log-softmax along any axis, with their gradients. */
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import floatLib from '../../shaders/lib/float.wgsl?raw';
import grid from '../../shaders/lib/grid.wgsl?raw';
import source from '../../shaders/softmax.wgsl?raw';
import { axisOf, elements } from './launch';

export type SoftmaxName = 'softmax' | 'log_softmax';

const KERNELS = {
  softmax: new Kernel('softmax', [floatLib, grid, source], 'softmax'),
  log_softmax: new Kernel('log_softmax', [floatLib, grid, source], 'log_softmax'),
  softmax_backward: new Kernel('softmax_backward', [floatLib, grid, source], 'softmax_backward'),
  log_softmax_backward: new Kernel('log_softmax_backward', [floatLib, grid, source], 'log_softmax_backward'),
};

/** (Log-)softmax of `x` along `dim`. */
export function softmax(name: SoftmaxName, x: Tensor, dim: number): Tensor {
  const out = Tensor.empty(x.gpu, x.shape);
  const params = rows(name, x, dim);
  x.gpu.dispatch(KERNELS[name], { x: x.storage, out: out.storage }, params, elements(params.rows));
  return out;
}

/** Gradient, from the forward's output. */
export function softmaxBackward(name: SoftmaxName, y: Tensor, dy: Tensor, dim: number): Tensor {
  const out = Tensor.empty(y.gpu, y.shape);
  const params = rows(name, y, dim);
  y.gpu.dispatch(KERNELS[`${name}_backward`], { x: y.storage, dy: dy.storage, out: out.storage }, params, elements(params.rows));
  return out;
}

function rows(op: string, x: Tensor, dim: number): { rows: number; extent: number; inner: number } {
  const axis = axisOf(op, dim, x.shape.length);
  const extent = x.shape[axis];
  return { rows: x.size / Math.max(1, extent), extent, inner: sizeOf(x.shape.slice(axis + 1)) };
}
