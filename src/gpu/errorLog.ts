/** What WebGPU reports asynchronously (validation, out of memory, a lost device), kept until the next wait throws it. */
import { DeviceError } from '../errors';

export class ErrorLog {
  readonly #pending: Promise<string | null>[] = [];
  #lost: string | undefined;

  /** Remembers the outcome of an error scope; `what` says what was being done. */
  watch(outcome: Promise<GPUError | null>, what: string): void {
    this.#pending.push(
      outcome.then(
        (error) => (error === null ? null : `${what}: ${error.message.split('\n')[0]}`),
        (error: Error) => `${what}: ${error.message}`,
      ),
    );
  }

  /** From now on every use is an error that says this. */
  close(reason: string): void {
    this.#lost = reason;
  }

  /** @throws DeviceError when the device is gone. */
  assertAlive(): void {
    if (this.#lost !== undefined) throw new DeviceError(this.#lost);
  }

  /** @throws DeviceError with the first error since the last call. */
  async throwAll(): Promise<void> {
    const errors = (await Promise.all(this.#pending.splice(0))).filter((error) => error !== null);
    this.assertAlive();
    if (errors.length > 0) throw new DeviceError(`WebGPU reported an error while ${errors[0]}`);
  }
}
