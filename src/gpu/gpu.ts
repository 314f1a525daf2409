/**
 * The device as the rest of Graft sees it: memory, pipelines, one recorder and error handling.
 *
 * Dispatches are recorded into one compute pass and submitted together by `flush` (called by every read and upload).
 * WebGPU orders dispatches of a pass by the buffers they share, so recording order is execution order.
 * What WebGPU reports asynchronously (validation, out of memory, a lost device) is thrown by the next `sync` or `read`.
 */
import { DeviceError } from '../errors';
import { BufferPool, Storage, type MemoryReport } from './buffers';
import { Choices } from './choices';
import type { Kernel } from './kernel';
import { Profiler, type KernelTime } from './profiler';
import { patiently } from './wait';

/** Bytes of one dispatch's uniform slot: the largest alignment WebGPU allows an adapter to ask for. */
const SLOT = 256;
const SLOTS = 512;

export type Workgroups = readonly [number, number?, number?];

export interface AdapterFacts {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** True for an adapter that runs on the CPU. */
  readonly software: boolean;
  /** Invocations of a subgroup that had better share what they read: 8 on a software adapter with such subgroups, else 1. */
  readonly sharedLanes: number;
}

export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterFacts;
  /** Which algorithms this device's kernels use. */
  readonly choices = new Choices();
  readonly #owned: boolean;
  readonly #pool: BufferPool;
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #params: GPUBuffer;
  readonly #paramsData = new ArrayBuffer(SLOT * SLOTS);
  readonly #paramsView = new DataView(this.#paramsData);
  readonly #scopes: Set<Storage>[] = [];
  readonly #errors: Promise<string | null>[] = [];
  #slot = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #lost: string | undefined;
  #dry: Map<string, Kernel> | undefined;
  #profiler: Profiler | undefined;

  /** Wraps a device; `openGpu` makes one. `owned`: `destroy` may destroy it. */
  constructor(device: GPUDevice, adapter: AdapterFacts, owned = false) {
    this.device = device;
    this.#owned = owned;
    this.adapter = adapter;
    this.#pool = new BufferPool(device, (error, what) => this.#watch(error, what));
    this.#params = device.createBuffer({ label: 'graft params', size: SLOT * SLOTS, usage: 0x40 | 0x08 }); // UNIFORM | COPY_DST
    void device.lost.then((info) => {
      this.#lost = `the GPU device was lost (${info.reason}): ${info.message || 'no reason given'}; open a new one and load the last checkpoint`;
    });
  }

  // Memory

  /** Device memory for `bytes` bytes, uninitialised, owned by the innermost scope. */
  allocate(bytes: number): Storage {
    const storage = new Storage(this.#pool, Math.max(16, Math.ceil(bytes / 16) * 16));
    this.#scopes.at(-1)?.add(storage);
    return storage;
  }

  /**
   * Runs `fn` and releases all that was allocated in it, except storages returned by `kept` for its result.
   * Synchronous by design: a step records, it does not wait.
   */
  scope<T>(fn: () => T, kept: (result: T) => Iterable<Storage>): T {
    const scope = new Set<Storage>();
    this.#scopes.push(scope);
    try {
      const result = fn();
      if (result instanceof Promise) throw new DeviceError('scope() takes a function that is not async; await outside it');
      for (const storage of kept(result)) this.keep(storage, scope);
      return result;
    } finally {
      this.#scopes.pop();
      for (const storage of scope) storage.release();
    }
  }

  /** Lets a storage outlive every open scope but those outside `scope`. Without `scope`: all of them. */
  keep(storage: Storage, scope?: Set<Storage>): void {
    if (scope === undefined) {
      for (const open of this.#scopes) open.delete(storage);
    } else if (scope.delete(storage)) {
      this.#scopes[this.#scopes.indexOf(scope) - 1]?.add(storage);
    }
  }

  /** Live and allocated bytes. */
  memory(): MemoryReport {
    return this.#pool.report();
  }

  /** Gives memory that no tensor uses back to the system. */
  trim(): void {
    this.flush();
    this.#pool.trim();
  }

  /** Writes host data into a storage, after everything recorded so far. */
  upload(storage: Storage, data: ArrayBufferView, byteOffset = 0): void {
    this.#assertAlive();
    if (this.#dry) return;
    this.flush();
    const { buffer, byteOffset: start, byteLength } = data;
    if (byteLength % 4 === 0) {
      this.device.queue.writeBuffer(storage.buffer, byteOffset, buffer as ArrayBuffer, start, byteLength);
    } else {
      const padded = new Uint8Array(Math.ceil(byteLength / 4) * 4);
      padded.set(new Uint8Array(buffer, start, byteLength));
      this.device.queue.writeBuffer(storage.buffer, byteOffset, padded);
    }
  }

  /** Reads `bytes` bytes back. Submits what is recorded and waits for it. */
  async read(storage: Storage, bytes: number): Promise<ArrayBuffer> {
    this.#assertAlive();
    const size = Math.ceil(bytes / 4) * 4;
    const source = storage.buffer; // throws for a disposed tensor, before there is anything to free
    const staging = this.device.createBuffer({ label: 'graft read', size: Math.max(4, size), usage: 0x01 | 0x08 }); // MAP_READ | COPY_DST
    this.#endPass();
    this.#openEncoder().copyBufferToBuffer(source, 0, staging, 0, size);
    this.flush();
    try {
      const failed = await patiently(staging.mapAsync(1)).then(() => undefined, (error: Error) => error);
      await this.#throwErrors();
      if (failed) throw new DeviceError(`reading ${bytes} bytes back from the GPU failed: ${failed.message}`);
      return staging.getMappedRange().slice(0, bytes);
    } finally {
      staging.destroy();
    }
  }

  // Recording

  /**
   * Records one dispatch. `bindings` by the names of the shader's variables, `params` by the fields of its `Params`.
   */
  dispatch(
    kernel: Kernel,
    bindings: Readonly<Record<string, Storage>>,
    params: Readonly<Record<string, number>>,
    workgroups: Workgroups,
  ): void {
    this.#assertAlive();
    if (this.#dry) {
      this.#dry.set(kernel.key, kernel);
      return;
    }
    const [x, y = 1, z = 1] = workgroups;
    if (x === 0 || y === 0 || z === 0) return;
    const limit = this.device.limits.maxComputeWorkgroupsPerDimension;
    if (x > limit || y > limit || z > limit) {
      throw new DeviceError(`${kernel.name}: a grid of ${x} x ${y} x ${z} workgroups is past the adapter's ${limit} a dimension; use a smaller batch`);
    }
    if (this.#slot === SLOTS || this.#profiler?.full) this.flush();
    const encoder = this.#openEncoder();
    const pipeline = this.#pipeline(kernel);
    const { bindings: declared } = kernel.reflection;
    const entries = declared.map(({ name, binding, access }): GPUBindGroupEntry => {
      if (access === 'uniform') {
        const offset = SLOT * this.#slot++;
        const size = kernel.packParams(params, this.#paramsView, offset);
        return { binding, resource: { buffer: this.#params, offset, size: Math.ceil(size / 16) * 16 } };
      }
      const storage = bindings[name];
      if (storage === undefined) throw new Error(`${kernel.name}: nothing was bound to '${name}'`);
      return { binding, resource: { buffer: storage.buffer, size: storage.bytes } };
    });
    const group = this.device.createBindGroup({ label: kernel.name, layout: pipeline.getBindGroupLayout(0), entries });
    if (this.#profiler) {
      this.#endPass();
      this.#pass = encoder.beginComputePass({ label: kernel.name, timestampWrites: this.#profiler.timestampWrites(kernel.name) });
    }
    this.#pass ??= encoder.beginComputePass();
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, group);
    this.#pass.dispatchWorkgroups(x, y, z);
  }

  /** Records a copy between storages. */
  copy(from: Storage, to: Storage, bytes: number): void {
    this.#assertAlive();
    if (this.#dry) return;
    this.#endPass();
    this.#openEncoder().copyBufferToBuffer(from.buffer, 0, to.buffer, 0, Math.ceil(bytes / 4) * 4);
  }

  /** Submits what was recorded. */
  flush(): void {
    const encoder = this.#encoder;
    if (encoder === undefined) return;
    this.#endPass();
    const collect = this.#profiler?.resolve(encoder);
    this.#encoder = undefined;
    if (this.#slot > 0) this.device.queue.writeBuffer(this.#params, 0, this.#paramsData, 0, SLOT * this.#slot);
    this.#slot = 0;
    this.device.queue.submit([encoder.finish()]);
    this.#watch(this.device.popErrorScope(), 'running recorded commands');
    collect?.();
  }

  /** Submits, waits until the GPU is done, and throws what WebGPU reported since the last time. */
  async sync(): Promise<void> {
    this.flush();
    await patiently(this.device.queue.onSubmittedWorkDone());
    await this.#throwErrors();
  }

  // Pipelines

  /**
   * Compiles, in parallel, every pipeline that `fn` would use, without running anything: inside, tensors have no
   * memory and dispatches only note their kernels. Returns how many were compiled.
   */
  async precompile(fn: () => void): Promise<number> {
    const wanted = new Map<string, Kernel>();
    this.#dry = wanted;
    try {
      this.scope(fn, () => []);
    } finally {
      this.#dry = undefined;
    }
    const missing = [...wanted.values()].filter((kernel) => !this.#pipelines.has(kernel.key));
    this.device.pushErrorScope('validation'); // modules are made at once, their errors come with the scope
    const pipelines = missing.map((kernel) => this.device.createComputePipelineAsync(this.#descriptor(kernel)));
    const invalid = this.device.popErrorScope().catch(() => null); // rejects with the device; the pipelines say so too
    const compiled = missing.map(async (kernel, i) => {
      try {
        this.#pipelines.set(kernel.key, await pipelines[i]);
      } catch (error) {
        const { message } = (await invalid) ?? (error as Error);
        throw new DeviceError(`${kernel.name}: the pipeline could not be compiled: ${message.split('\n')[0]}`);
      }
    });
    await patiently(Promise.all(compiled));
    return missing.length;
  }

  /** True inside `precompile`: nothing that is computed now has a value, so nothing of it may be kept. */
  get dry(): boolean {
    return this.#dry !== undefined;
  }

  /** Starts to time every kernel. Throws where the adapter has no timestamp queries. */
  startProfile(): void {
    if (!this.device.features.has('timestamp-query')) {
      throw new DeviceError("profiling needs the adapter's timestamp-query feature, which this one lacks; time whole steps instead");
    }
    this.flush();
    this.#profiler = new Profiler(this.device);
  }

  /** Ends profiling: time by kernel, slowest first. */
  async stopProfile(): Promise<KernelTime[]> {
    await this.sync();
    const profiler = this.#profiler;
    this.#profiler = undefined;
    return (await profiler?.finish()) ?? [];
  }

  /** Frees everything. Tensors of this device cannot be used afterwards. A device of the caller's own lives on. */
  destroy(): void {
    if (this.#owned) {
      this.device.destroy();
      return;
    }
    this.flush();
    this.#pool.destroy();
    this.#params.destroy();
    this.#lost = 'the Gpu was destroyed; open a new one';
  }

  #pipeline(kernel: Kernel): GPUComputePipeline {
    let pipeline = this.#pipelines.get(kernel.key);
    if (pipeline === undefined) {
      pipeline = this.device.createComputePipeline(this.#descriptor(kernel));
      this.#pipelines.set(kernel.key, pipeline);
    }
    return pipeline;
  }

  #descriptor(kernel: Kernel): GPUComputePipelineDescriptor {
    const module = this.device.createShaderModule({ label: kernel.name, code: kernel.code });
    return {
      label: kernel.name,
      layout: 'auto',
      compute: { module, entryPoint: kernel.entry, constants: kernel.constants },
    };
  }

  #openEncoder(): GPUCommandEncoder {
    if (this.#encoder === undefined) {
      this.device.pushErrorScope('validation');
      this.#encoder = this.device.createCommandEncoder();
    }
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  #watch(error: Promise<GPUError | null>, what: string): void {
    this.#errors.push(
      error.then(
        (e) => (e === null ? null : `${what}: ${e.message.split('\n')[0]}`),
        (e: Error) => `${what}: ${e.message}`,
      ),
    );
  }

  async #throwErrors(): Promise<void> {
    const errors = (await Promise.all(this.#errors.splice(0))).filter((e) => e !== null);
    this.#assertAlive();
    if (errors.length > 0) throw new DeviceError(`WebGPU reported an error while ${errors[0]}`);
  }

  #assertAlive(): void {
    if (this.#lost !== undefined) throw new DeviceError(this.#lost);
  }
}
