/**
 * A convolution, its batch norm and what follows (residual, ReLU), in one kernel where nothing of it is trained and the
 * statistics are the running ones: all of it happens in the convolution's store, by two constants a channel.
 * Elsewhere the convolution, and all the rest in one op.
 */
import type { BatchNormFollow } from '../autograd/ops/norm';
import { wantsGrad } from '../autograd/op';
import { conv2d as conv2dKernel } from '../kernels/conv2d/conv2d';
import type { Tensor } from '../tensor';
import type { BatchNorm2d } from './batchNorm2d';
import type { Conv2d } from './conv2d';

export function convBatchNorm(conv: Conv2d, norm: BatchNorm2d, x: Tensor, follow: BatchNormFollow = {}): Tensor {
  const graph = [x, follow.residual, conv.weight, norm.weight, norm.bias].some(wantsGrad);
  if (!graph && !conv.bias && norm.mode === 'running') {
    return conv2dKernel(x, conv.weight, conv.options, { ...norm.affine(), ...follow });
  }
  return norm.forward(conv.forward(x), follow);
}
