/**
 * Steps of training: forward, backward and update, a program for each batch size. A batch may go through the network in
 * parts; their gradients add up to the batch's.
 */
import { backward } from '../autograd/backward';
import { crossEntropy } from '../autograd/ops/loss';
import { clear } from '../kernels/accumulate';
import { copyOf, fill } from '../kernels/copy';
import type { Parameter } from '../layers/module';
import type { ResNet } from '../models/resnet';
import type { Optimizer } from '../optim/optimizer';
import { Tensor, keep } from '../tensor';
import type { Inputs, Maker, Program } from './programs';

/** Mean loss of a part of a batch. */
export interface PartLoss {
  readonly loss: Tensor;
  readonly images: number;
}

export interface StepOptions {
  readonly network: ResNet;
  readonly forward: (x: Tensor) => Tensor;
  readonly optimizer: Optimizer;
  readonly inputs: Inputs;
  /** Images in a part at most, and at least. */
  readonly most: number;
  readonly least: 1 | 2;
  readonly labelSmoothing: number;
  readonly clipNorm: number | null;
}

/** The programs of one batch size. */
interface Batch {
  /** Each part's size, and what leaves its mean loss. */
  readonly parts: readonly { readonly images: number; readonly program: Program<Tensor> }[];
  /** Whether the only part also updates. */
  readonly whole: boolean;
}

/**
 * A step updates the parameters by the gradient of the mean loss over its batch. Each part weighs as many images as it
 * holds, so the result is that of the whole batch at once but for the rounding of sums. Only what is normalised by the
 * batch differs: its statistics are those of a part, as in PyTorch.
 */
export class TrainSteps {
  readonly #maker: Maker;
  readonly #options: StepOptions;
  readonly #trained: readonly Parameter[];
  readonly #batches = new Map<number, Batch>();
  /** By part size and batch size. */
  readonly #programs = new Map<string, Program<Tensor>>();
  /** Sums of the parts' gradients; zeros between steps. Made when a batch has several parts. */
  #sums: readonly Tensor[] | undefined;
  #update: Program<void> | undefined;

  constructor(maker: Maker, options: StepOptions) {
    this.#maker = maker;
    this.#options = options;
    this.#trained = options.network.parameters().filter(({ requiresGrad }) => requiresGrad);
  }

  /** Makes the programs for batches of so many images, unless they are there. */
  async prepare(images: number): Promise<Batch> {
    const known = this.#batches.get(images);
    if (known) return known;
    const { most, least } = this.#options;
    const sizes = partSizes(images, most, least);
    const whole = sizes.length === 1;
    if (!whole) this.#sums ??= await this.#maker.hold('rest', () => this.#trained.map(({ gpu, shape }) => keep(fill(gpu, shape, 0))), (sums) => sums);
    const parts = [];
    for (const size of sizes) parts.push({ images: size, program: await this.#part(size, sizes.reduce((a, b) => a + b, 0)) });
    if (!whole) this.#update ??= await this.#maker.make(() => this.#updateBySums());
    const batch = { parts, whole };
    this.#batches.set(images, batch);
    return batch;
  }

  /**
   * One step: recorded, not waited for. `between` is awaited between its parts: nothing of a part but the sums of gradients
   * lives on then, and the weights are those of before the step.
   */
  async run(x: Float32Array, targets: Int32Array, between?: () => Promise<unknown>): Promise<PartLoss[]> {
    const { inputs } = this.#options;
    const { parts, whole } = await this.prepare(targets.length);
    const length = x.length / targets.length;
    const losses: PartLoss[] = [];
    let start = 0;
    for (const { images, program } of parts) {
      if (start > 0) await between?.();
      inputs.write(x.subarray(start * length, (start + images) * length), targets.subarray(start, start + images));
      start += images;
      losses.push({ images, loss: copyOf(program.replay()) }); // the next replay overwrites it
    }
    if (!whole) this.#update?.replay();
    return losses;
  }

  dispose(): void {
    for (const program of this.#programs.values()) program.dispose();
    this.#update?.dispose();
    for (const sum of this.#sums ?? []) sum.dispose();
    this.#programs.clear();
    this.#batches.clear();
    this.#sums = this.#update = undefined;
  }

  /** Gradients of one part; the update too, when it is all of its batch. */
  async #part(images: number, all: number): Promise<Program<Tensor>> {
    const key = `${images} of ${all}`;
    let program = this.#programs.get(key);
    if (program === undefined) {
      const { network, inputs, forward, labelSmoothing } = this.#options;
      const [x, targets] = [inputs.x(images), inputs.targets(images)];
      program = await this.#maker.make(() => {
        network.train();
        if (images < all) this.#trained.forEach((parameter, i) => { parameter.grad = this.#sums?.[i]; });
        const loss = crossEntropy(forward(x), targets, { labelSmoothing });
        backward(loss, images === all ? undefined : fill(loss.gpu, loss.shape, images / all));
        if (images === all) this.#updateNow();
        this.#options.optimizer.zeroGrad();
        return loss;
      });
      this.#programs.set(key, program);
    }
    return program;
  }

  #updateBySums(): void {
    this.#trained.forEach((parameter, i) => { parameter.grad = this.#sums?.[i]; });
    this.#updateNow();
    this.#options.optimizer.zeroGrad();
    for (const sum of this.#sums ?? []) clear(sum);
  }

  #updateNow(): void {
    const { optimizer, clipNorm } = this.#options;
    if (clipNorm !== null) optimizer.clipGradNorm(clipNorm);
    optimizer.step();
  }
}

/**
 * Sizes of the parts that a batch of `images` goes through the network in: `most` each, and a rest. None is smaller
 * than `least`: a rest that would be takes from the part before it, or is left out where that has none to give.
 */
export function partSizes(images: number, most: number, least: 1 | 2): number[] {
  const sizes = Array.from({ length: Math.floor(images / most) }, () => most);
  const rest = images % most;
  if (rest >= least) return [...sizes, rest];
  if (rest > 0 && most > least && sizes.length > 0) return [...sizes.slice(0, -1), most - 1, rest + 1];
  return sizes;
}
