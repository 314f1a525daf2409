/** Compute pipelines of one device, compiled once a kernel: at once when a dispatch needs one, or many ahead in parallel. */
import { DeviceError } from '../errors';
import type { ErrorLog } from './errorLog';
import { IN_FIREFOX } from './firefox';
import type { Kernel } from './kernel';
import { unroll } from './unroll';

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #log: ErrorLog;
  /** Whether loops are written out for the compiler. */
  readonly #unrolls: boolean;
  readonly #made = new Map<string, GPUComputePipeline>();

  constructor(device: GPUDevice, log: ErrorLog) {
    this.#device = device;
    this.#log = log;
    this.#unrolls = IN_FIREFOX || /swiftshader/i.test(`${device.adapterInfo.architecture} ${device.adapterInfo.description}`);
  }

  get(kernel: Kernel): GPUComputePipeline {
    let pipeline = this.#made.get(kernel.key);
    if (pipeline === undefined) {
      pipeline = this.#device.createComputePipeline(this.#descriptor(kernel));
      this.#made.set(kernel.key, pipeline);
    }
    return pipeline;
  }

  /** Compiles those of `kernels` that are missing, in parallel. Returns how many that were. @throws DeviceError naming the kernel. */
  async compile(kernels: Iterable<Kernel>): Promise<number> {
    const missing = [...new Map([...kernels].map((kernel) => [kernel.key, kernel])).values()].filter(({ key }) => !this.#made.has(key));
    this.#device.pushErrorScope('validation'); // modules are made at once, their errors come with the scope
    const pipelines = missing.map((kernel) => this.#device.createComputePipelineAsync(this.#descriptor(kernel)));
    const invalid = this.#device.popErrorScope().catch(() => null); // rejects with the device; the pipelines say so too
    const compiled = missing.map(async (kernel, i) => {
      try {
        this.#made.set(kernel.key, await pipelines[i]);
      } catch (error) {
        const { message } = (await invalid) ?? (error as Error);
        throw new DeviceError(`${kernel.name}: the pipeline could not be compiled: ${message.split('\n')[0]}`);
      }
    });
    await this.#log.wait(Promise.all(compiled));
    return missing.length;
  }

  #descriptor(kernel: Kernel): GPUComputePipelineDescriptor {
    const code = this.#unrolls ? unroll(kernel.code) : kernel.code;
    const module = this.#device.createShaderModule({ label: kernel.name, code });
    return { label: kernel.name, layout: 'auto', compute: { module, entryPoint: kernel.entry, constants: kernel.constants } };
  }
}
