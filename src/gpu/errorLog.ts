/**
 * What WebGPU reports asynchronously (validation, out of memory, a lost device), kept until the next wait throws it; and
 * waiting itself, which ends when the device does.
 */
import { DeviceError, DeviceLostError, OutOfMemoryError } from '../errors';
import { patiently } from './wait';

/** Milliseconds that a failed wait gives the device to tell that it was lost: the failure often arrives before the reason. */
const GRACE = 250;

interface Outcome {
  readonly error: DeviceError | null;
  /** Whether the scope itself failed, which it does with its device. */
  readonly broken: boolean;
}

export class ErrorLog {
  readonly #pending: Promise<Outcome>[] = [];
  /** Called when the device is gone. */
  readonly #waiting = new Set<() => void>();
  readonly #nudge: () => void;
  #closed: DeviceError | undefined;

  /** `nudge` has the browser look whether the device is done, where it does not by itself. */
  constructor(nudge: () => void) {
    this.#nudge = nudge;
  }

  /** Remembers the outcome of an error scope of this kind; `what` says what was being done. */
  watch(outcome: Promise<GPUError | null>, what: string, filter: GPUErrorFilter = 'validation'): void {
    const Kind = filter === 'out-of-memory' ? OutOfMemoryError : DeviceError;
    const told = (message: string): DeviceError => new Kind(`WebGPU reported an error while ${what}: ${message.split('\n')[0]}`);
    this.#pending.push(
      outcome.then(
        (error): Outcome => ({ error: error === null ? null : told(error.message), broken: false }),
        (error: Error): Outcome => ({ error: told(error.message), broken: true }),
      ),
    );
  }

  /** Keeps what is pending from whoever waits next, until the function it returns is called. */
  setAside(): () => void {
    const aside = this.#pending.splice(0);
    return () => void this.#pending.unshift(...aside);
  }

  /** From now on every use and every wait is this error; the first one that is given stays. */
  close(error: DeviceError): void {
    if (this.#closed) return;
    this.#closed = error;
    for (const end of this.#waiting) end();
    this.#waiting.clear();
  }

  /** Whether the device went by itself, rather than by `Gpu.destroy`. */
  get lost(): boolean {
    return this.#closed instanceof DeviceLostError;
  }

  /** @throws DeviceError when the device is gone. */
  assertAlive(): void {
    if (this.#closed === undefined) return;
    const Kind = this.#closed instanceof DeviceLostError ? DeviceLostError : DeviceError;
    throw new Kind(this.#closed.message); // with the stack of this use
  }

  /**
   * The promise, or the end of the device, whichever comes first: nobody waits for a device that is gone.
   * @throws DeviceError when the device is gone, also where the promise fails because of that.
   */
  async wait<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined); // it may fail after the device
    this.assertAlive();
    try {
      return await patiently(this.#orClosed(promise), this.#nudge);
    } catch (error) {
      await this.#grace();
      this.assertAlive();
      throw error;
    }
  }

  /** @throws DeviceError with the first error since the last call: one of missing memory before those it led to. */
  async throwAll(): Promise<void> {
    const outcomes = await this.#orClosed(Promise.all(this.#pending.splice(0)));
    if (outcomes.some(({ broken }) => broken)) await this.#grace();
    this.assertAlive();
    const errors = outcomes.flatMap(({ error }) => error ?? []);
    if (errors.length > 0) throw errors.find((error) => error instanceof OutOfMemoryError) ?? errors[0];
  }

  #orClosed<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        try {
          this.assertAlive();
        } catch (error) {
          reject(error as DeviceError);
        }
      };
      this.#waiting.add(end);
      promise.then(resolve, reject).finally(() => this.#waiting.delete(end));
      if (this.#closed) end();
    });
  }

  #grace(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, GRACE);
      this.#waiting.add(end);
    });
  }
}
