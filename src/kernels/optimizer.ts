/** Fused optimiser updates, in place, and gradient clipping. */
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import grid from '../../shaders/lib/grid.wgsl?raw';
import source from '../../shaders/optimizer.wgsl?raw';
import { elements } from './launch';

const kernel = (entry: string): Kernel => new Kernel(entry, [grid, source], entry);
const KERNELS = { sgd: kernel('sgd'), momentum: kernel('sgd_momentum'), adamw: kernel('adamw'), clip: kernel('clip') };

const NONE = {
  lr: 0, weight_decay: 0, momentum: 0, nesterov: 0, first: 0, beta1: 0, beta2: 0, eps: 0,
  correction1: 1, correction2: 1, max_norm: 0,
};

/** One SGD step; `velocity` is undefined without momentum. `first` says that it holds nothing yet. */
export function sgdStep(
  param: Tensor,
  grad: Tensor,
  velocity: Tensor | undefined,
  options: { lr: number; momentum: number; nesterov: boolean; weightDecay: number; first: boolean },
): void {
  const params = {
    ...NONE,
    size: param.size,
    lr: options.lr,
    weight_decay: options.weightDecay,
    momentum: options.momentum,
    nesterov: options.nesterov ? 1 : 0,
    first: options.first ? 1 : 0,
  };
  const bindings = { param: param.storage, grad: grad.storage };
  if (velocity) param.gpu.dispatch(KERNELS.momentum, { ...bindings, state1: velocity.storage }, params, elements(param.size));
  else param.gpu.dispatch(KERNELS.sgd, bindings, params, elements(param.size));
}

/** One AdamW step (Loshchilov and Hutter, 2019); `step` counts from 1. */
export function adamwStep(
  param: Tensor,
  grad: Tensor,
  moments: readonly [Tensor, Tensor],
  options: { lr: number; betas: readonly [number, number]; eps: number; weightDecay: number; step: number },
): void {
  const [beta1, beta2] = options.betas;
  const params = {
    ...NONE,
    size: param.size,
    lr: options.lr,
    weight_decay: options.weightDecay,
    first: options.step === 1 ? 1 : 0,
    beta1,
    beta2,
    eps: options.eps,
    correction1: 1 - beta1 ** options.step,
    correction2: Math.sqrt(1 - beta2 ** options.step),
  };
  const bindings = { param: param.storage, grad: grad.storage, state1: moments[0].storage, state2: moments[1].storage };
  param.gpu.dispatch(KERNELS.adamw, bindings, params, elements(param.size));
}

/** `grad` scaled down so that the norm, whose square is in `squares` (one element), is at most `maxNorm`. */
export function clip(grad: Tensor, squares: Tensor, maxNorm: number): Tensor {
  const out = Tensor.empty(grad.gpu, grad.shape);
  const bindings = { grad: grad.storage, squares: squares.storage, out: out.storage };
  grad.gpu.dispatch(KERNELS.clip, bindings, { ...NONE, size: grad.size, max_norm: maxNorm }, elements(grad.size));
  return out;
}
