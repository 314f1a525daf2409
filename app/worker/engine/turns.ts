/**
 * Work on the device, one after another. While a run goes on it has the device, and other work gets its turn between
 * two of its steps.
 */
export class Turns {
  readonly #waiting: (() => Promise<void>)[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #runs = false;
  #serving: Promise<void> | undefined;
  #onWanted: (() => void) | undefined;

  /** Runs `work` when the device is free, or between two steps of the run that has it. */
  take<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#runs) return this.#queue(work);
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => work().then(resolve, reject));
      this.#onWanted?.();
    });
  }

  /** Gives the device to a run, which calls `between` before each of its steps. Work that is left over comes after it. */
  run<T>(run: () => Promise<T>): Promise<T> {
    return this.#queue(async () => {
      this.#runs = true;
      try {
        return await run();
      } finally {
        this.#runs = false;
        await this.settled();
        for (const work of this.#waiting.splice(0)) void this.#queue(work);
      }
    });
  }

  /** Does what waits. Undefined where nothing does, which costs a run no turn of the event loop. */
  between(): Promise<void> | undefined {
    if (this.#waiting.length === 0) return undefined;
    this.#serving = (async () => {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) await next();
    })();
    return this.#serving;
  }

  /** Resolves when work that was begun between steps has ended: before that nobody takes its model away. */
  async settled(): Promise<void> {
    await this.#serving;
  }

  /** Resolves when something waits for its turn. */
  wanted(): Promise<void> {
    if (this.#waiting.length > 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onWanted = resolve));
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
