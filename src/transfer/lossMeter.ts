/** Fetches losses in groups, between steps, so that the GPU is never waited for inside one; stops at one that is not finite. */
import { TrainingError } from '../errors';
import type { PartLoss } from './trainStep';

/** What to try when training diverges. */
export const ADVICE = 'try a learning rate ten times lower, or gradients clipped to norm 1';

/** Steps recorded ahead of the newest loss that was read. */
const AHEAD = 8;
/** Milliseconds after which losses are read even so: progress should be seen to move. */
const INTERVAL = 500;

export interface LossProgress {
  /** Mean over the images so far. */
  readonly loss: number;
  readonly images: number;
  readonly step: number;
}

/** What a meter has read: enough to go on with another. */
export interface LossState {
  /** Steps, and the images in them. */
  readonly step: number;
  readonly images: number;
  /** Sum of the images' losses. */
  readonly lossSum: number;
}

export class LossMeter {
  readonly #firstStep: number;
  readonly #onProgress: (progress: LossProgress) => void;
  /** Losses of steps, by the parts of each. */
  #pending: (readonly PartLoss[])[] = [];
  #lastRead = performance.now();
  #sum: number;
  #images: number;
  #step: number;

  /** `firstStep`: steps of the whole run before this epoch, for messages. `from`: what was read of the epoch before. */
  constructor(firstStep: number, onProgress: (progress: LossProgress) => void, from: LossState = { step: 0, images: 0, lossSum: 0 }) {
    this.#firstStep = firstStep;
    this.#onProgress = onProgress;
    this.#step = from.step;
    this.#images = from.images;
    this.#sum = from.lossSum;
  }

  /** Takes over a step's losses. @throws TrainingError when a loss read now is not finite. */
  async add(losses: readonly PartLoss[]): Promise<void> {
    this.#pending.push(losses);
    losses[0].loss.gpu.flush();
    if (this.#pending.length >= AHEAD || performance.now() - this.#lastRead > INTERVAL) await this.#read();
  }

  /** Mean loss of all images. */
  async finish(): Promise<number> {
    await this.#read();
    return this.#images > 0 ? this.#sum / this.#images : NaN;
  }

  /** Reads all losses there are, and tells where that leaves the meter. @throws TrainingError as `add`. */
  async state(): Promise<LossState> {
    await this.#read();
    return { step: this.#step, images: this.#images, lossSum: this.#sum };
  }

  /** Frees losses that were never read. */
  dispose(): void {
    for (const { loss } of this.#pending.flat()) loss.dispose();
  }

  async #read(): Promise<void> {
    const pending = this.#pending;
    const values = await Promise.all(pending.flat().map(({ loss }) => loss.toArray()));
    this.#pending = [];
    for (const { loss } of pending.flat()) loss.dispose();
    let next = 0;
    for (const parts of pending) {
      this.#step++;
      for (const { images } of parts) {
        const [value] = values[next++];
        if (!Number.isFinite(value)) {
          throw new TrainingError(
            `the loss became ${value} at step ${this.#firstStep + this.#step}; ${ADVICE}, and check that no image is broken`,
          );
        }
        this.#sum += value * images;
        this.#images += images;
      }
    }
    this.#lastRead = performance.now();
    if (pending.length > 0) this.#onProgress({ loss: this.#sum / this.#images, images: this.#images, step: this.#step });
  }
}
