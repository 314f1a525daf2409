/** The device: opened when it is first needed, and again after it was lost. What it is doing is told as a state. */
import { DeviceError, applyTuning, browserTuningStore, openGpu, type Gpu } from '../../../src/index';
import type { DeviceState } from '../../shared/protocol';

export class Engine {
  readonly #tell: (state: DeviceState) => void;
  #opening: Promise<Gpu> | undefined;
  #current: Gpu | undefined;

  constructor(tell: (state: DeviceState) => void) {
    this.#tell = tell;
  }

  /** Opens it before anyone waits for it. The state tells of a failure. */
  begin(): void {
    this.gpu().catch(() => undefined);
  }

  /** The device, if one is open now. */
  get now(): Gpu | undefined {
    return this.#current;
  }

  /** @throws DeviceError where there is none. */
  gpu(): Promise<Gpu> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Destroys the device as a driver's reset would: without telling anyone. */
  lose(): void {
    this.#current?.device.destroy();
  }

  async #open(): Promise<Gpu> {
    try {
      const gpu = await openGpu();
      this.#current = gpu;
      await applyTuning(gpu, browserTuningStore(), () => undefined);
      const { features } = gpu.device;
      this.#tell({ kind: 'ready', adapter: gpu.adapter, float16: features.has('shader-f16'), timestamps: features.has('timestamp-query') });
      void gpu.device.lost.then(({ message }) => this.#lost(gpu, message));
      return gpu;
    } catch (error) {
      this.#opening = undefined;
      const { message } = error as Error;
      this.#tell({ kind: 'missing', message });
      throw error instanceof DeviceError ? error : new DeviceError(message, { cause: error });
    }
  }

  #lost(gpu: Gpu, message: string): void {
    if (this.#current !== gpu) return;
    this.#current = undefined;
    this.#opening = undefined;
    this.#tell({ kind: 'lost', message: `The graphics device was lost (${message || 'the browser gives no reason'}); a new one is being taken.` });
    this.begin();
  }
}
