/** Who gives memory back: the innermost open scope owns what is allocated. */
import { DeviceError } from '../errors';
import type { Storage } from './buffers';

export class Scopes {
  readonly #open: Set<Storage>[] = [];

  /** Makes the innermost scope responsible for a storage. */
  own(storage: Storage): void {
    this.#open.at(-1)?.add(storage);
  }

  /**
   * Runs `fn` and releases what came to be owned in it, except what `kept` names for its result: that goes to the scope
   * around. Synchronous by design: a step records, it does not wait.
   */
  run<T>(fn: () => T, kept: (result: T) => Iterable<Storage>): T {
    const scope = new Set<Storage>();
    this.#open.push(scope);
    try {
      const result = fn();
      if (result instanceof Promise) {
        result.catch(() => undefined); // the error is that it waits at all
        throw new DeviceError('scope() takes a function that is not async; await outside it');
      }
      for (const storage of kept(result)) if (scope.delete(storage)) this.#open.at(-2)?.add(storage);
      return result;
    } finally {
      this.#open.pop();
      for (const storage of scope) storage.release();
    }
  }

  /** Lets a storage outlive every open scope. */
  keep(storage: Storage): void {
    for (const scope of this.#open) scope.delete(storage);
  }
}
