/** The caller's turns between the steps of a run, and time without them. */
import type { Gpu } from '../gpu/gpu';
import type { FineTuneOptions } from './types';

export class Turns {
  readonly #options: Pick<FineTuneOptions, 'betweenSteps' | 'signal'>;
  readonly #gpu: Gpu | undefined;
  #taken = 0;

  /** `gpu`: whose errors are to be kept apart from those of what the caller does. */
  constructor(options: Pick<FineTuneOptions, 'betweenSteps' | 'signal'>, gpu?: Gpu) {
    this.#options = options;
    this.#gpu = gpu;
  }

  /** Lets the caller have a turn. False when the run is to end, which may be in the middle of one. */
  async next(): Promise<boolean> {
    const { betweenSteps, signal } = this.#options;
    if (betweenSteps && !signal?.aborted) {
      const began = performance.now();
      const restore = this.#gpu?.setErrorsAside();
      try {
        await unlessAborted(betweenSteps(), signal);
      } finally {
        restore?.();
        this.#taken += performance.now() - began;
      }
    }
    return !signal?.aborted;
  }

  /** Milliseconds, as `performance.now` counts them, that stand still while the caller has its turn. */
  now(): number {
    return performance.now() - this.#taken;
  }
}

/** Settles with the promise, or as soon as the signal is aborted. */
async function unlessAborted(turn: void | Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (turn === undefined || signal === undefined) return turn;
  let end = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    end = resolve;
    signal.addEventListener('abort', end);
  });
  try {
    await Promise.race([turn, aborted]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
