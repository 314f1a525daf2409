/**
 * A convolution, its batch norm and what follows (residual, ReLU), in one kernel where nothing of it is trained and the
 * statistics are the running ones: the batch norm is folded into the weights, the rest happens in the convolution's store.
 * Elsewhere the same ops one by one, each with its gradient.
 */
import { add, relu } from '../autograd/ops/elementwise';
import { wantsGrad } from '../autograd/op';
import { foldBatchNorm, runningStatistics } from '../kernels/batchNorm';
import { conv2d as conv2dKernel } from '../kernels/conv2d';
import { keep, type Tensor } from '../tensor';
import type { BatchNorm2d } from './batchNorm2d';
import type { Conv2d, Folded } from './conv2d';

export interface Follow {
  /** Added after the normalisation, before the activation; the output's shape. */
  readonly residual?: Tensor;
  readonly relu?: boolean;
}

export function convBatchNorm(conv: Conv2d, norm: BatchNorm2d, x: Tensor, { residual, relu: activate = false }: Follow = {}): Tensor {
  const graph = [x, residual, conv.weight, norm.weight, norm.bias].some(wantsGrad);
  if (!graph && norm.mode === 'running') {
    const { weight, bias } = fold(conv, norm);
    return conv2dKernel(x, weight, conv.options, { bias, residual, relu: activate });
  }
  conv.folded = undefined;
  let y = norm.forward(conv.forward(x));
  if (residual) y = add(y, residual);
  return activate ? relu(y) : y;
}

function fold(conv: Conv2d, norm: BatchNorm2d): Folded {
  const sources = [conv.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var];
  const versions = sources.map(({ version }) => version).join();
  if (conv.folded?.versions === versions) return conv.folded;
  const stats = runningStatistics({ mean: norm.running_mean, var: norm.running_var }, norm.eps);
  const made = { ...foldBatchNorm(conv.weight, stats, norm.weight, norm.bias), versions };
  stats.dispose();
  if (!conv.weight.gpu.dry) {
    keep(made.weight);
    keep(made.bias);
    conv.folded = made;
  }
  return made;
}
