/** SGD and AdamW with torch.optim's formulas; state lives on the device, nothing is read back. */
import { UsageError, suggest } from '../errors';
import type { HostTensor } from '../hostTensor';
import { adamwStep, clip, sgdStep } from '../kernels/optimizer';
import { add } from '../kernels/binary';
import { fill } from '../kernels/copy';
import { sum } from '../kernels/reduce';
import { keep, scope, type Tensor } from '../tensor';
import type { Parameter } from '../layers/module';

export interface SgdOptions {
  readonly name: 'sgd';
  readonly lr: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Default false. */
  readonly nesterov?: boolean;
  /** Default 0; added to the gradient. */
  readonly weightDecay?: number;
}

export interface AdamWOptions {
  readonly name: 'adamw';
  readonly lr: number;
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Default 0.01; applied to the weights, not to the gradient. */
  readonly weightDecay?: number;
}

export type OptimizerOptions = SgdOptions | AdamWOptions;

/** Names of the state tensors of each optimiser, as torch.optim has them. */
const STATE_NAMES = { sgd: ['momentum_buffer'], adamw: ['exp_avg', 'exp_avg_sq'] } as const;

export class Optimizer {
  readonly options: OptimizerOptions;
  /** Learning rate of the next step; schedules set it. */
  lr: number;
  #steps = 0;
  readonly #parameters: readonly [string, Parameter][];
  readonly #state = new Map<string, readonly Tensor[]>();

  /** Takes the parameters that are trainable now; frozen ones never enter. */
  constructor(parameters: Iterable<[string, Parameter]>, options: OptimizerOptions) {
    checkOptimizer(options);
    this.options = options;
    this.lr = options.lr;
    const trainable = [...parameters].filter(([, parameter]) => parameter.requiresGrad);
    // One that two modules share is updated once, under its first name.
    this.#parameters = trainable.filter(([, parameter], i) => trainable.findIndex(([, other]) => other === parameter) === i);
    const needed = options.name === 'sgd' ? (options.momentum ? 1 : 0) : 2;
    for (const [name, { gpu, shape }] of this.#parameters) {
      this.#state.set(name, Array.from({ length: needed }, () => keep(fill(gpu, shape, 0))));
    }
  }

  /** Steps taken. */
  get steps(): number {
    return this.#steps;
  }

  /** Forgets gradients. Their memory goes back with the step's scope. */
  zeroGrad(): void {
    for (const [, parameter] of this.#parameters) parameter.grad = undefined;
  }

  /** One update of every parameter that has a gradient. Under `gpu.precompile` it only notes its kernels. */
  step(): void {
    const dry = this.#parameters[0]?.[1].gpu.dry ?? false;
    const step = this.#steps + 1;
    for (const [name, parameter] of this.#parameters) {
      const { grad } = parameter;
      if (grad === undefined) continue;
      const state = this.#state.get(name) as readonly Tensor[];
      const { lr, options } = this;
      if (options.name === 'sgd') {
        const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
        sgdStep(parameter, grad, state[0], { lr, momentum, nesterov, weightDecay, first: step === 1 });
      } else {
        const { betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 } = options;
        adamwStep(parameter, grad, [state[0], state[1]], { lr, betas, eps, weightDecay, step });
      }
      if (!dry) parameter.version++;
    }
    if (!dry) this.#steps = step;
  }

  /**
   * Scales all gradients so that their common norm is at most `maxNorm` (`torch.nn.utils.clip_grad_norm_`).
   * The norm stays on the device.
   */
  clipGradNorm(maxNorm: number): void {
    const withGrad = this.#parameters.map(([, p]) => p).filter((p) => p.grad !== undefined);
    if (withGrad.length === 0) return;
    const { gpu } = withGrad[0];
    const total = scope(gpu, () => withGrad.map((p) => sum(p.grad as Tensor, undefined, { square: true })).reduce((a, b) => add(a, b)));
    for (const p of withGrad) p.grad = clip(p.grad as Tensor, total, maxNorm);
  }

  /** State tensors as `momentum_buffer.<parameter>`, in the engine's own order (for checkpoints), and the step count. */
  async stateDict(): Promise<{ steps: number; tensors: Map<string, HostTensor> }> {
    const tensors = new Map<string, HostTensor>();
    for (const [name, state] of this.#state) {
      for (const [i, tensor] of state.entries()) tensors.set(`${STATE_NAMES[this.options.name][i]}.${name}`, await tensor.toHost());
    }
    return { steps: this.#steps, tensors };
  }

  /** The reverse of `stateDict`. @throws UsageError when a tensor is missing. */
  loadStateDict(saved: { steps: number; tensors: ReadonlyMap<string, HostTensor> }): void {
    for (const [name, state] of this.#state) {
      state.forEach((tensor, i) => {
        const key = `${STATE_NAMES[this.options.name][i]}.${name}`;
        const host = saved.tensors.get(key);
        if (!host) throw new UsageError(`the checkpoint holds no optimiser state '${key}'; it was made with another plan or optimiser: use the same options, or start anew`);
        tensor.assign(host);
      });
    }
    this.#steps = saved.steps;
  }

  /** Frees the state. */
  dispose(): void {
    for (const state of this.#state.values()) for (const tensor of state) tensor.dispose();
  }
}

/** @throws UsageError for an unknown name or a value out of range. */
export function checkOptimizer(options: OptimizerOptions): void {
  const known = Object.keys(STATE_NAMES);
  if (!known.includes(options.name)) throw new UsageError(`no optimizer is called '${options.name as string}'.${suggest(options.name, known)}`);
  const { name, lr, weightDecay = 0 } = options;
  if (!(lr > 0 && lr < Infinity)) throw new UsageError(`${name}: the learning rate must be positive, got ${lr}`);
  if (!(weightDecay >= 0)) throw new UsageError(`${name}: weight decay must not be negative, got ${weightDecay}`);
  if (options.name === 'adamw') {
    const { betas = [0, 0], eps = 0 } = options;
    if (!betas.every((beta) => beta >= 0 && beta < 1)) throw new UsageError(`adamw: betas must be at least 0 and below 1, got ${betas.join(', ')}`);
    if (!(eps >= 0)) throw new UsageError(`adamw: eps must not be negative, got ${eps}`);
    return;
  }
  const { momentum = 0 } = options;
  if (!(momentum >= 0)) throw new UsageError(`sgd: momentum must be at least 0, got ${momentum}`);
  if (options.nesterov && momentum === 0) throw new UsageError('sgd: Nesterov needs a momentum above 0');
}
