/**
 * Batch normalisation layer, `torch.nn.BatchNorm2d`, with its three states kept apart:
 *   affine      trained or frozen: `requiresGrad` of weight and bias
 *   normalise   by the batch or by the running statistics: `normaliseBy`
 *   statistics  moved or held: `updateStatistics`
 * Left at `auto`, the last two follow training mode, except in a frozen layer (no parameter of it is trained), which
 * normalises by its running statistics and holds them. That exception is what most frameworks get wrong.
 */
import { batchNorm, type BatchNormFollow } from '../autograd/ops/norm';
import { runsAgain } from '../autograd/recompute';
import { runningAffine } from '../kernels/batchNorm';
import type { Gpu } from '../gpu/gpu';
import { keep, type Tensor } from '../tensor';
import { constant } from './init';
import { Buffer, Counter, Module, Parameter } from './module';

/** A normalisation by constants as `x * scale + bias`, both [C], and the version of what it was made from. */
interface Affine {
  readonly scale: Tensor;
  readonly bias: Tensor;
  readonly version: number;
}

export class BatchNorm2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly running_mean: Buffer;
  readonly running_var: Buffer;
  readonly num_batches_tracked = new Counter();
  readonly eps: number;
  /** Weight of the new value when statistics move. */
  readonly momentum: number;
  normaliseBy: 'auto' | 'batch' | 'running' = 'auto';
  updateStatistics: 'auto' | boolean = 'auto';
  #affine: Affine | undefined;

  constructor(gpu: Gpu, channels: number, { eps = 1e-5, momentum = 0.1 }: { eps?: number; momentum?: number } = {}) {
    super();
    this.weight = new Parameter(constant(gpu, [channels], 1));
    this.bias = new Parameter(constant(gpu, [channels], 0));
    this.running_mean = new Buffer(constant(gpu, [channels], 0));
    this.running_var = new Buffer(constant(gpu, [channels], 1));
    this.eps = eps;
    this.momentum = momentum;
  }

  get frozen(): boolean {
    return !this.weight.requiresGrad && !this.bias.requiresGrad;
  }

  /** What the next forward normalises by. */
  get mode(): 'batch' | 'running' {
    if (this.normaliseBy !== 'auto') return this.normaliseBy;
    return this.training && !this.frozen ? 'batch' : 'running';
  }

  /** Whether the next forward moves the running statistics. Only batch statistics can move them. */
  get updates(): boolean {
    if (this.mode === 'running' || runsAgain()) return false;
    return this.updateStatistics === 'auto' ? this.training && !this.frozen : this.updateStatistics;
  }

  /** Normalises by the running statistics and holds them, whatever the mode: `hold()`; `hold(false)` undoes it. */
  hold(on = true): void {
    this.normaliseBy = on ? 'running' : 'auto';
    this.updateStatistics = on ? false : 'auto';
  }

  /** Normalises, and does what follows in the same pass. */
  forward(x: Tensor, follow: BatchNormFollow = {}): Tensor {
    const update = this.updates;
    if (update) x.gpu.everyStep(() => this.num_batches_tracked.value++);
    const running = { mean: this.running_mean, var: this.running_var };
    return batchNorm(x, this.weight, this.bias, { running, normaliseBy: this.mode, update, momentum: this.momentum, eps: this.eps }, follow);
  }

  /**
   * The normalisation by running statistics as two constants a channel, made once and brought up to date, where they
   * lie, when something of it has changed: a captured function reads them without computing them.
   */
  affine(): { readonly scale: Tensor; readonly bias: Tensor } {
    const sources = [this.weight, this.bias, this.running_mean, this.running_var].map(({ storage }) => storage);
    const kept = this.weight.gpu.refresh(sources, () => this.#updateAffine());
    return kept && this.#affine ? this.#affine : this.#makeAffine();
  }

  #updateAffine(): void {
    // Versions only ever grow, so their sum tells whether any did.
    const version = (): number => this.weight.version + this.bias.version + this.running_mean.version + this.running_var.version;
    if (this.#affine?.version === version()) return;
    const { scale, bias } = this.#makeAffine(this.#affine);
    // Looked at afterwards: the kernel's bindings could be written as far as WebGPU knows, which counts as a change.
    this.#affine = { scale: keep(scale), bias: keep(bias), version: version() };
  }

  #makeAffine(into?: { readonly scale: Tensor; readonly bias: Tensor }): { scale: Tensor; bias: Tensor } {
    return runningAffine({ mean: this.running_mean, var: this.running_var }, this.weight, this.bias, this.eps, into);
  }

  protected override disposeOwn(): void {
    super.disposeOwn();
    this.#affine?.scale.dispose();
    this.#affine?.bias.dispose();
  }
}
