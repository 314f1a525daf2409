/**
 * The device as the rest of Graft sees it: memory, dispatch, reading back, compiling ahead, capturing.
 *
 * Dispatches are recorded into one compute pass and submitted together by `flush` (called by every read and upload).
 * WebGPU orders dispatches of a pass by the buffers they share, so recording order is execution order.
 * What WebGPU reports asynchronously (validation, out of memory, a lost device) is thrown by the next `sync` or `read`.
 */
import { DeviceError, DeviceLostError } from '../errors';
import type { AdapterFacts } from './adapter';
import { Arena } from './arena';
import { BufferPool, Storage, type MemoryReport } from './buffers';
import { makeReady, type Engine, type Replay } from './capture';
import { Choices } from './choices';
import { ErrorLog } from './errorLog';
import type { Kernel } from './kernel';
import { Pipelines } from './pipelines';
import type { KernelTime } from './profiler';
import { Recorder, type Grid } from './recorder';
import { Scopes } from './scopes';
import { Trace } from './trace';

export type { AdapterFacts } from './adapter';

export type Workgroups = readonly [number, number?, number?];

export class Gpu {
  readonly device: GPUDevice;
  readonly adapter: AdapterFacts;
  /** Which algorithms this device's kernels use. */
  readonly choices = new Choices();
  readonly #owned: boolean;
  readonly #log: ErrorLog;
  readonly #pool: BufferPool;
  readonly #pipelines: Pipelines;
  readonly #recorder: Recorder;
  readonly #engine: Engine;
  #scopes = new Scopes();
  /** Set while a function is traced: nothing runs then. */
  #trace: Trace | undefined;

  /** Wraps a device; `openGpu` makes one. `owned`: `destroy` may destroy it. */
  constructor(device: GPUDevice, adapter: AdapterFacts, owned = false) {
    this.device = device;
    this.#owned = owned;
    this.adapter = adapter;
    const log = (this.#log = new ErrorLog(() => device.queue.submit([])));
    const pool = (this.#pool = new BufferPool(device, (error, what) => log.watch(error, what, 'out-of-memory')));
    const pipelines = (this.#pipelines = new Pipelines(device, log));
    const recorder = (this.#recorder = new Recorder(device, pipelines, log));
    this.#engine = { device, pool, arena: new Arena(pool), pipelines, recorder, log, trace: () => this.#trace };
    void device.lost.then(({ reason, message }) => {
      log.close(new DeviceLostError(`the GPU device was lost (${reason}): ${message || 'no reason given'}; open a new one and load the last checkpoint`));
    });
  }

  // Memory

  /** Device memory for `bytes` bytes, uninitialised, owned by the innermost scope. */
  allocate(bytes: number): Storage {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const storage = this.#trace?.allocate(size) ?? new Storage(this.#pool, size);
    this.#scopes.own(storage);
    return storage;
  }

  /** Runs `fn` and releases all that was allocated in it, except storages returned by `kept` for its result. Not for async functions. */
  scope<T>(fn: () => T, kept: (result: T) => Iterable<Storage>): T {
    return this.#scopes.run(fn, kept);
  }

  /**
   * Lets a storage outlive every open scope.
   * @throws UsageError in a captured function for what it made itself: the next replay would overwrite it.
   */
  keep(storage: Storage): void {
    if (this.#trace?.repeats && this.#trace.owns(storage)) {
      throw this.#trace.refuse('keep() of a tensor made inside the captured function, which every replay would overwrite; make it before the capture, or return it');
    }
    this.#scopes.keep(storage);
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

  /**
   * Writes host data into a storage, after everything recorded so far.
   * @throws UsageError in a captured function, whose replays would repeat the same data.
   */
  upload(storage: Storage, data: ArrayBufferView, byteOffset = 0): void {
    this.#log.assertAlive();
    if (this.#trace) {
      if (!this.#trace.repeats) return;
      throw this.#trace.refuse(
        `an upload of ${data.byteLength} bytes (Tensor.fromArray, fromHost, write or assign) inside the function would bring the same data in every replay; make the tensor before the capture and write() to it before each replay`,
      );
    }
    storage.version++;
    this.#recorder.write(storage.buffer, byteOffset, data);
  }

  /** Reads `bytes` bytes back. Submits what is recorded and waits for it. */
  async read(storage: Storage, bytes: number): Promise<ArrayBuffer> {
    this.#log.assertAlive();
    if (this.#trace) return this.#never('reading a tensor back (toArray, toHost)');
    const size = Math.ceil(bytes / 4) * 4;
    const source = storage.buffer; // throws for a disposed tensor, before there is anything to free
    this.device.pushErrorScope('out-of-memory');
    const staging = this.device.createBuffer({ label: 'graft read', size: Math.max(4, size), usage: 0x01 | 0x08 }); // MAP_READ | COPY_DST
    this.#log.watch(this.device.popErrorScope(), `reading ${bytes} bytes back`, 'out-of-memory');
    this.#recorder.copy(source, staging, size);
    this.flush();
    try {
      const read = await this.#log.wait(staging.mapAsync(1)).then(() => staging.getMappedRange().slice(0, bytes)).catch((error: Error) => error);
      await this.#log.throwAll();
      if (read instanceof Error) throw new DeviceError(`reading ${bytes} bytes back from the GPU failed: ${read.message}`);
      return read;
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
    this.#log.assertAlive();
    const trace = this.#trace;
    const [x, y = 1, z = 1] = workgroups;
    const grid: Grid = [x, y, z];
    if (trace && !trace.repeats) {
      trace.note(kernel);
      return;
    }
    if (x === 0 || y === 0 || z === 0) return;
    const limit = this.device.limits.maxComputeWorkgroupsPerDimension;
    if (x > limit || y > limit || z > limit) {
      throw new DeviceError(`${kernel.name}: a grid of ${x} x ${y} x ${z} workgroups is past the adapter's ${limit} a dimension; use a smaller batch`);
    }
    for (const { name, access } of kernel.reflection.bindings) {
      if (access !== 'uniform' && bindings[name] === undefined) throw new Error(`${kernel.name}: nothing was bound to '${name}'`);
    }
    (trace ?? this.#recorder).dispatch(kernel, bindings, params, grid);
  }

  /** Records a copy between storages. */
  copy(from: Storage, to: Storage, bytes: number): void {
    this.#log.assertAlive();
    if (this.#trace) {
      this.#trace.copy(from, to, bytes);
      return;
    }
    to.version++;
    this.#recorder.copy(from.buffer, to.buffer, bytes);
  }

  /** Submits what was recorded. */
  flush(): void {
    this.#recorder.flush();
  }

  /** Submits, waits until the GPU is done, and throws what WebGPU reported since the last time. */
  async sync(): Promise<void> {
    if (this.#trace) return this.#never('waiting for the device (sync)');
    this.flush();
    await this.#log.wait(this.device.queue.onSubmittedWorkDone());
    await this.#log.throwAll();
  }

  /**
   * Submits, and keeps what WebGPU reports of it from others who wait for the device, until the function this returns is
   * called: other work then neither gets these errors nor hides them.
   */
  setErrorsAside(): () => void {
    this.flush();
    return this.#log.setAside();
  }

  // Tracing: functions that are looked at, not run

  /**
   * Compiles, in parallel, every pipeline that `fn` would use, without running anything: inside, tensors have no
   * memory and dispatches only note their kernels. Returns how many were compiled.
   */
  async precompile(fn: () => void): Promise<number> {
    const trace = new Trace(false);
    this.#traced(trace, () => this.scope(fn, () => []));
    return this.#pipelines.compile(trace.kernels);
  }

  /**
   * Runs `fn` for its shapes and choices only: tensors have no memory and no values, nothing is recorded, compiled or
   * uploaded, and what is made inside is of no use afterwards.
   */
  rehearse<T>(fn: () => T): T {
    return this.#traced(new Trace(false), () => this.scope(fn, () => []));
  }

  /**
   * The commands that `fn` would record, in order, with the lifetimes of its temporaries; nothing runs and nothing is
   * allocated. `outputs` names the storages of the result that outlive it.
   * @throws UsageError when `fn` does what a replay could not repeat.
   */
  trace<T>(fn: () => T, outputs: (result: T) => Iterable<Storage>): { trace: Trace; result: T; outputs: Set<Storage> } {
    if (this.#trace) throw this.#trace.refuse('another capture inside the function; captures do not nest: make it before');
    const trace = new Trace(true);
    const result = trace.closeAfter(() => this.#traced(trace, () => this.scope(fn, outputs)));
    const made = new Set([...outputs(result)].filter((storage) => trace.owns(storage)));
    for (const step of trace.steps) if (typeof step === 'object' && made.has(step.storage)) throw trace.refuse('what stepValues() gave is returned, but it is known on the host already; return what is computed from it');
    return { trace, result, outputs: made };
  }

  /** Makes a traced function ready to run. Most code wants `capture` of src/tensor.ts. @throws DeviceError when there is no memory for it. */
  prepare(traced: { trace: Trace; outputs: ReadonlySet<Storage> }): Promise<Replay> {
    return makeReady(this.#engine, traced);
  }

  /** True inside `precompile` and `capture`: nothing that is computed now has a value, so nothing of it may be kept. */
  get dry(): boolean {
    return this.#trace !== undefined;
  }

  /**
   * What a step does on the host besides recording: counts, mostly. Run now; in a captured function not now, but before
   * each replay; while compiling ahead not at all.
   */
  everyStep(effect: () => void): void {
    if (this.#trace) this.#trace.step(effect);
    else effect();
  }

  /**
   * A storage of `bytes` bytes with values that differ from step to step (a learning rate, a seed): `values` is asked
   * now; in a captured function before each replay instead. Kernels may only read it.
   */
  stepValues(bytes: number, values: () => ArrayBufferView): Storage {
    const storage = this.allocate(bytes);
    if (this.#trace) this.#trace.step({ storage, values });
    else this.upload(storage, values());
    return storage;
  }

  /**
   * Brings up to date what is derived from `sources` and kept outside the step (a frozen batch norm's constants, transformed weights):
   * `update` is run now, for real even in a captured function, and again before each replay, so it should look first
   * whether there is anything to do. False, and nothing done, where that is not possible: while compiling ahead, or
   * when the captured function itself changes a source before. Compute inside the step then.
   */
  refresh(sources: readonly Storage[], update: () => void): boolean {
    const trace = this.#trace;
    if (trace === undefined) {
      update();
      return true;
    }
    if (!trace.repeats || sources.some((source) => trace.owns(source) || trace.writes(source))) return false;
    this.#suspended(update);
    trace.step(update);
    return true;
  }

  /** Starts to time every kernel. Throws where the adapter has no timestamp queries. */
  startProfile(): void {
    if (!this.device.features.has('timestamp-query')) {
      throw new DeviceError("profiling needs the adapter's timestamp-query feature, which this one lacks; time whole steps instead");
    }
    this.#recorder.profile(true);
  }

  /** Ends profiling: time by kernel, slowest first. */
  async stopProfile(): Promise<KernelTime[]> {
    await this.sync();
    return (await this.#recorder.profile(false)?.finish()) ?? [];
  }

  /** Frees everything. Tensors of this device cannot be used afterwards. A device of the caller's own lives on. */
  destroy(): void {
    if (!this.#owned) this.flush();
    this.#log.close(new DeviceError('the Gpu was destroyed; open a new one'));
    if (this.#owned) {
      this.device.destroy();
      return;
    }
    this.#pool.destroy();
    this.#recorder.destroy();
  }

  /** Whether the device was lost: everything that waits for it, and every use, throws DeviceLostError. Not so after `destroy`. */
  get lost(): boolean {
    return this.#log.lost;
  }

  #traced<T>(trace: Trace, fn: () => T): T {
    const before = this.#trace;
    this.#trace = trace;
    try {
      return fn();
    } finally {
      this.#trace = before;
    }
  }

  /** Runs `fn` outside the trace and every scope that are open. */
  #suspended(fn: () => void): void {
    const [trace, scopes] = [this.#trace, this.#scopes];
    this.#trace = undefined;
    this.#scopes = new Scopes();
    try {
      this.scope(fn, () => []);
    } finally {
      this.#trace = trace;
      this.#scopes = scopes;
    }
  }

  /** What waiting gives while a function is traced: the trace fails as a whole, so nobody is left waiting. */
  #never(what: string): Promise<never> {
    this.#trace?.refuse(`${what} inside the function, which is only looked at: nothing has run yet; do it after replay()`);
    return new Promise(() => undefined);
  }
}
