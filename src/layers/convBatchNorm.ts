/**
 * A convolution, its batch norm and what follows (residual, ReLU), in one kernel where nothing of it is trained and the
 * statistics are the running ones: all of it happens in the convolution's store, by two constants a channel.
 * Elsewhere the same ops one by one, each with its gradient.
 */
import { add, relu } from '../autograd/ops/elementwise';
import { wantsGrad } from '../autograd/op';
import { conv2d as conv2dKernel } from '../kernels/conv2d';
import type { Tensor } from '../tensor';
import type { BatchNorm2d } from './batchNorm2d';
import type { Conv2d } from './conv2d';

export interface Follow {
  /** Added after the normalisation, before the activation; the output's shape. */
  readonly residual?: Tensor;
  readonly relu?: boolean;
}

export function convBatchNorm(conv: Conv2d, norm: BatchNorm2d, x: Tensor, { residual, relu: activate = false }: Follow = {}): Tensor {
  const graph = [x, residual, conv.weight, norm.weight, norm.bias].some(wantsGrad);
  if (!graph && !conv.bias && norm.mode === 'running') {
    return conv2dKernel(x, conv.weight, conv.options, { ...norm.affine(), residual, relu: activate });
  }
  let y = norm.forward(conv.forward(x));
  if (residual) y = add(y, residual);
  return activate ? relu(y) : y;
}
