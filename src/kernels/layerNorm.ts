/** Layer normalisation over the last axis, with its gradients. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import grid from '../../shaders/lib/grid.wgsl?raw';
import source from '../../shaders/layerNorm.wgsl?raw';
import { elements } from './launch';

const forward = new Kernel('layer_norm', [grid, source], 'layer_norm');
const backward = new Kernel('layer_norm_backward', [grid, source], 'layer_norm_backward');

/** `(x - mean) / sqrt(variance + eps) * weight + bias` along the last axis. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const extent = x.shape.at(-1) ?? 0;
  if (extent === 0 || weight.size !== extent || bias.size !== extent) {
    throw new ShapeError(`layer_norm: weight ${formatShape(weight.shape)} and bias ${formatShape(bias.shape)} must match the last axis of ${formatShape(x.shape)}`);
  }
  const rows = x.size / extent;
  const out = Tensor.empty(x.gpu, x.shape);
  const bindings = { x: x.storage, weight: weight.storage, bias: bias.storage, out: out.storage };
  x.gpu.dispatch(forward, bindings, { rows, extent, eps }, elements(rows));
  return out;
}

/** Gradient of the input, and dy * xhat, whose sum over rows is the weight's gradient. */
export function layerNormBackward(x: Tensor, dy: Tensor, weight: Tensor, eps: number): { dx: Tensor; xhatDy: Tensor } {
  const extent = weight.size;
  const rows = x.size / extent;
  const dx = Tensor.empty(x.gpu, x.shape);
  const xhatDy = Tensor.empty(x.gpu, x.shape);
  const bindings = { x: x.storage, dy: dy.storage, weight: weight.storage, out: dx.storage, xhat_dy: xhatDy.storage };
  x.gpu.dispatch(backward, bindings, { rows, extent, eps }, elements(rows));
  return { dx, xhatDy };
}
