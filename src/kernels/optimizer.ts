/** Optimiser updates, in place, and gradient clipping: three tensors a dispatch, which every adapter has bindings for. */
import type { Gpu } from '../gpu/gpu';
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import clipSource from '../../shaders/clip.wgsl?raw';
import span from '../../shaders/lib/span.wgsl?raw';
import source from '../../shaders/optimizer.wgsl?raw';
import { fours, strided } from './launch';
import { sum } from './reduce';

const kernel = (entry: string): Kernel => new Kernel(entry, [span, source], entry);
const KERNELS = {
  sgd: kernel('sgd'),
  momentum: kernel('sgd_momentum'),
  adamw: kernel('adamw'),
  squares: new Kernel('square_sums', [span, clipSource], 'square_sums'),
  clip: new Kernel('clip', [span, clipSource], 'clip'),
};

/** Tensors of one dispatch: with a gradient each, their state and the rates these are the eight bindings WebGPU promises. */
export const SLOTS = 3;

/** One parameter in a dispatch. */
export interface Slot {
  readonly param: Tensor;
  readonly grad: Tensor;
  /** Where its state begins, in floats; a multiple of 4. */
  readonly start: number;
  /** Which row of the rates is its own. */
  readonly rate: number;
}

/** Floats of state that a parameter needs of each kind: whole fours, as its storage has. */
export function stateLength(param: Tensor): number {
  return 4 * fours(param);
}

const NONE = { moments: 0, weight_decay: 0, momentum: 0, nesterov: 0, beta1: 0, beta2: 0, eps: 0 };

/**
 * One SGD step of up to `SLOTS` parameters. `rates` is [n, 4], the learning rate first in each row. `momenta` holds the
 * parameters' momenta, zeros before the first step; it is left out without momentum.
 */
export function sgdStep(
  slots: readonly Slot[],
  rates: Tensor,
  momenta: Tensor | undefined,
  { momentum, nesterov, weightDecay }: { momentum: number; nesterov: boolean; weightDecay: number },
): void {
  const params = { ...NONE, weight_decay: weightDecay, momentum, nesterov: nesterov ? 1 : 0 };
  update(momenta ? KERNELS.momentum : KERNELS.sgd, slots, rates, momenta, params);
}

/** The row of `rates` for `adamwStep`; `step` counts a parameter's steps from 1. */
export function adamwRates(lr: number, weightDecay: number, [beta1, beta2]: readonly [number, number], step: number): readonly [number, number, number, number] {
  return [lr / (1 - beta1 ** step), Math.sqrt(1 - beta2 ** step), 1 - lr * weightDecay, 0];
}

/** One AdamW step (Loshchilov and Hutter, 2019) of up to `SLOTS` parameters. `moments` is [2, n]: all first ones, then all second ones. */
export function adamwStep(slots: readonly Slot[], rates: Tensor, moments: Tensor, { betas, eps }: { betas: readonly [number, number]; eps: number }): void {
  update(KERNELS.adamw, slots, rates, moments, { ...NONE, beta1: betas[0], beta2: betas[1], eps, moments: moments.shape[1] / 4 });
}

function update(chosen: Kernel, slots: readonly Slot[], rates: Tensor, state: Tensor | undefined, shared: typeof NONE): void {
  const { gpu } = rates;
  const params: Record<string, number> = { ...shared };
  const bindings: Record<string, Tensor> = state ? { rates, state } : { rates };
  const unused: Tensor[] = [];
  for (let k = 0; k < SLOTS; k++) {
    const slot = slots.at(k);
    params[`size${k}`] = slot ? fours(slot.param) : 0;
    params[`start${k}`] = slot ? slot.start / 4 : 0;
    params[`rate${k}`] = slot?.rate ?? 0;
    bindings[`param${k}`] = slot?.param ?? placeholder(gpu, unused);
    bindings[`grad${k}`] = slot?.grad ?? rates;
  }
  gpu.dispatch(chosen, storagesOf(bindings), params, strided(gpu, Math.max(...slots.map(({ param }) => fours(param)))));
  for (const tensor of unused) tensor.dispose();
}

/** What is not there needs a binding all the same, and one that is written needs one of its own. */
function placeholder(gpu: Gpu, unused: Tensor[]): Tensor {
  const tensor = Tensor.empty(gpu, [4]);
  unused.push(tensor);
  return tensor;
}

function storagesOf(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor['storage']> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.storage]));
}

/** Invocations that add up squares: as many partial sums a dispatch. */
const SUMS = 4096;

/** Scales the gradients, where they lie, so that their common norm is at most `maxNorm` (`torch.nn.utils.clip_grad_norm_`). */
export function clipGradients(gradients: readonly Tensor[], maxNorm: number): void {
  const { gpu } = gradients[0];
  const groups: (readonly Tensor[])[] = [];
  for (let i = 0; i < gradients.length; i += SLOTS) groups.push(gradients.slice(i, i + SLOTS));
  const partial = Tensor.empty(gpu, [groups.length, SUMS]);
  const sizes = (group: readonly Tensor[]): Record<string, number> => Object.fromEntries([0, 1, 2].map((k) => [`size${k}`, group.at(k)?.size ?? 0]));
  groups.forEach((group, i) => {
    const bindings = { ...named('grad', group, () => group[0]), sums: partial };
    gpu.dispatch(KERNELS.squares, storagesOf(bindings), { ...sizes(group), start: i * SUMS, max_norm: maxNorm }, [SUMS / 64]);
  });
  const squares = sum(partial);
  partial.dispose();
  for (const group of groups) {
    const unused: Tensor[] = [];
    const bindings = { ...named('clipped', group, () => placeholder(gpu, unused)), squares };
    const grid = strided(gpu, Math.max(...group.map(fours)));
    gpu.dispatch(KERNELS.clip, storagesOf(bindings), { ...sizes(group), start: 0, max_norm: maxNorm }, grid);
    for (const tensor of [...unused]) tensor.dispose();
    for (const tensor of group) tensor.version++;
  }
  squares.dispose();
}

function named(name: string, group: readonly Tensor[], missing: () => Tensor): Record<string, Tensor> {
  return Object.fromEntries([0, 1, 2].map((k) => [`${name}${k}`, group.at(k) ?? missing()]));
}
