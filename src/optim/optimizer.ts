/** SGD and AdamW with torch.optim's formulas; state lives on the device, nothing is read back. */
import { UsageError, formatShape, suggest } from '../errors';
import { f32, toFloat32, type HostTensor } from '../hostTensor';
import { SLOTS, adamwRates, adamwStep, clipGradients, sgdStep, stateLength, type Slot } from '../kernels/optimizer';
import { fill } from '../kernels/copy';
import { Tensor, keep, scope } from '../tensor';
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

const ADAMW = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01 } as const;

/** State that a parameter needs. */
function kindsOf(options: OptimizerOptions): readonly string[] {
  return options.name === 'sgd' && !options.momentum ? [] : STATE_NAMES[options.name];
}

/** Parameters in their order, as many to a group as a dispatch takes and a binding holds the state of. */
function groupsOf(parameters: readonly (readonly [string, Parameter])[], kinds: number): Group[] {
  const groups: { entries: Entry[]; length: number }[] = [];
  for (const [name, parameter] of parameters) {
    const length = stateLength(parameter);
    const most = parameter.gpu.device.limits.maxStorageBufferBindingSize / (4 * Math.max(1, kinds));
    let group = groups.at(-1);
    if (group === undefined || group.entries.length === SLOTS || group.length + length > most) groups.push((group = { entries: [], length: 0 }));
    group.entries.push({ name, parameter, start: group.length, steps: 0 });
    group.length += length;
  }
  return groups.map(({ entries, length }) => {
    const { gpu } = entries[0].parameter;
    return { entries, state: kinds > 0 ? keep(fill(gpu, [kinds, length], 0)) : undefined };
  });
}

/** A parameter, how often it was updated, and where its state lies. */
interface Entry {
  readonly name: string;
  readonly parameter: Parameter;
  /** Its first float in the group's state. */
  readonly start: number;
  steps: number;
}

/** Parameters that one dispatch updates. */
interface Group {
  readonly entries: readonly Entry[];
  /** [kinds, floats]: for each kind of state all parameters', one after the other. Undefined where none is needed. */
  readonly state: Tensor | undefined;
}

export class Optimizer {
  readonly options: OptimizerOptions;
  /** Learning rate of the next step; schedules set it. */
  lr: number;
  #steps = 0;
  readonly #groups: readonly Group[];
  readonly #entries: readonly Entry[];

  /** Takes the parameters that are trainable now; frozen ones never enter. */
  constructor(parameters: Iterable<[string, Parameter]>, options: OptimizerOptions) {
    checkOptimizer(options);
    this.options = options;
    this.lr = options.lr;
    const trainable = [...parameters].filter(([, parameter]) => parameter.requiresGrad);
    // One that two modules share is updated once, under its first name.
    const own = trainable.filter(([, parameter], i) => trainable.findIndex(([, other]) => other === parameter) === i);
    this.#groups = groupsOf(own, kindsOf(options).length);
    this.#entries = this.#groups.flatMap(({ entries }) => entries);
  }

  /** Steps taken. */
  get steps(): number {
    return this.#steps;
  }

  /** What it holds on the device. */
  get stateTensors(): readonly Tensor[] {
    return this.#groups.flatMap(({ state }) => (state ? [state] : []));
  }

  /** Forgets gradients. Their memory goes back with the step's scope. */
  zeroGrad(): void {
    for (const { parameter } of this.#entries) parameter.grad = undefined;
  }

  /**
   * One update of every parameter that has a gradient. Steps are counted by parameter, as in torch.optim: one that was
   * left out stands where it stood. In a captured function the rates and counts of each replay are its own.
   */
  step(): void {
    const updated = this.#entries.filter(({ parameter }) => parameter.grad !== undefined);
    if (this.#entries.length === 0) return;
    const { gpu } = this.#entries[0].parameter;
    gpu.everyStep(() => {
      this.#steps++;
      for (const entry of updated) {
        entry.steps++;
        entry.parameter.version++;
      }
    });
    if (updated.length === 0) return;
    const rates = new Tensor(gpu, [updated.length, 4], 'f32', gpu.stepValues(16 * updated.length, () => this.#rates(updated)));
    for (const { entries, state } of this.#groups) {
      const slots = entries.flatMap(({ parameter, start }, i): Slot[] => {
        const rate = updated.indexOf(entries[i]);
        return parameter.grad ? [{ param: parameter, grad: parameter.grad, start, rate }] : [];
      });
      if (slots.length > 0) this.#update(slots, rates, state);
    }
    rates.dispose();
  }

  /** What differs from step to step, a row for each parameter. */
  #rates(updated: readonly Entry[]): Float32Array {
    const { lr, options } = this;
    if (options.name === 'sgd') return Float32Array.from(updated.flatMap(() => [lr, 0, 0, 0]));
    const { betas = ADAMW.betas, weightDecay = ADAMW.weightDecay } = options;
    return Float32Array.from(updated.flatMap(({ steps }) => adamwRates(lr, weightDecay, betas, steps)));
  }

  #update(slots: readonly Slot[], rates: Tensor, state: Tensor | undefined): void {
    const { options } = this;
    if (options.name === 'sgd') {
      const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
      sgdStep(slots, rates, state, { momentum, nesterov, weightDecay });
    } else if (state) {
      const { betas = ADAMW.betas, eps = ADAMW.eps } = options;
      adamwStep(slots, rates, state, { betas, eps });
    }
  }

  /**
   * Scales all gradients, where they lie, so that their common norm is at most `maxNorm`
   * (`torch.nn.utils.clip_grad_norm_`). The norm stays on the device.
   */
  clipGradNorm(maxNorm: number): void {
    const gradients = this.#entries.flatMap(({ parameter: { grad } }) => (grad ? [grad] : []));
    if (gradients.length > 0) scope(gradients[0].gpu, () => clipGradients(gradients, maxNorm));
  }

  /**
   * State tensors as `momentum_buffer.<parameter>`, in the engine's own order (for checkpoints), and the step count;
   * AdamW's counts by parameter as `step.<parameter>`.
   */
  async stateDict(): Promise<{ steps: number; tensors: Map<string, HostTensor> }> {
    const tensors = new Map<string, HostTensor>();
    for (const { entries, state } of this.#groups) {
      if (!state) continue;
      const values = (await state.toArray()) as Float32Array;
      for (const { name, parameter, start, steps } of entries) {
        for (const [kind, kindName] of kindsOf(this.options).entries()) {
          const first = kind * state.shape[1] + start;
          tensors.set(`${kindName}.${name}`, f32(parameter.shape, values.slice(first, first + parameter.size)));
        }
        if (this.options.name === 'adamw') tensors.set(`step.${name}`, f32([], Float32Array.of(steps)));
      }
    }
    return { steps: this.#steps, tensors };
  }

  /** The reverse of `stateDict`. A state without counts by parameter counts all from `steps`. @throws UsageError when a tensor is missing. */
  loadStateDict(saved: { steps: number; tensors: ReadonlyMap<string, HostTensor> }): void {
    const kinds = kindsOf(this.options);
    const find = (key: string, { parameter: { shape } }: Entry): HostTensor => {
      const host = saved.tensors.get(key);
      if (!host) throw new UsageError(`the checkpoint holds no optimiser state '${key}'; it was made with another plan or optimiser: use the same options, or start anew`);
      if (formatShape(host.shape) !== formatShape(shape)) throw new UsageError(`the checkpoint's optimiser state '${key}' is ${formatShape(host.shape)}, the parameter ${formatShape(shape)}; it was made for another model`);
      return host;
    };
    // All are looked up first: an error leaves the state as it was.
    const found = this.#entries.map((entry) => kinds.map((kind) => toFloat32(find(`${kind}.${entry.name}`, entry))));
    for (const { entries, state } of this.#groups) {
      for (const entry of entries) {
        const values = found[this.#entries.indexOf(entry)];
        values.forEach((data, kind) => {
          if (state) state.gpu.upload(state.storage, data, 4 * (kind * state.shape[1] + entry.start));
        });
        entry.steps = Number(saved.tensors.get(`step.${entry.name}`)?.data[0] ?? saved.steps);
      }
    }
    this.#steps = saved.steps;
  }

  /** Frees the state. */
  dispose(): void {
    for (const state of this.stateTensors) state.dispose();
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
