/**
 * A traced function made ready to run again and again: memory planned, pipelines compiled, bind groups made, parameters
 * uploaded. A replay is three calls a dispatch, in one compute pass.
 */
import { DeviceError, OutOfMemoryError, UsageError } from '../errors';
import type { Arena, Lease } from './arena';
import type { BufferPool, Storage } from './buffers';
import type { ErrorLog } from './errorLog';
import { reuseResiduals } from './inPlace';
import type { Pipelines } from './pipelines';
import { planMemory, pooledBytes, type Plan } from './plan';
import type { Program, ReadyDispatch, Recorder } from './recorder';
import type { HostStep, Trace, TracedCommand } from './trace';

/** The parts of a `Gpu` that captures are made of. */
export interface Engine {
  readonly device: GPUDevice;
  readonly pool: BufferPool;
  readonly arena: Arena;
  readonly pipelines: Pipelines;
  readonly recorder: Recorder;
  readonly log: ErrorLog;
  /** The trace that is under way, if any. */
  readonly trace: () => Trace | undefined;
}

export interface CaptureMemory {
  /** Bytes of the buffers that temporaries share, of which other captures may use some too. */
  readonly plannedBytes: number;
  /** Most bytes that matter at one command; no plan can take less. */
  readonly lowerBoundBytes: number;
  /** The same where each temporary has a buffer to itself while it matters, as WebGPU wants it. */
  readonly sharedBoundBytes: number;
  /** What the eager pool would take for the same commands. */
  readonly pooledBytes: number;
  /** Bytes of what the function returns. */
  readonly outputBytes: number;
  /** Bytes of parameters and of values that change by step. */
  readonly parameterBytes: number;
  /** Buffers shared by how many temporaries. */
  readonly buffers: number;
  readonly temporaries: number;
  /** Dispatches and copies. */
  readonly commands: number;
}

/** A trace with its memory planned. */
export interface PlannedTrace {
  readonly plan: Plan;
  /** For each temporary the index of its buffer. */
  readonly where: ReadonlyMap<Storage, number>;
  /** The trace's commands, with residuals added where they lie. */
  readonly commands: readonly TracedCommand[];
}

/** Plans the memory of a trace. Pure: nothing is allocated. `outputs` get memory of their own. */
export function planTrace(trace: Trace, outputs: ReadonlySet<Storage>): PlannedTrace {
  const pinned = new Set(outputs);
  for (const step of trace.steps) if (typeof step === 'object') pinned.add(step.storage);
  const eager = trace.temporaries(pinned);
  const { commands, lifetimes, standIn } = reuseResiduals(trace.commands, eager);
  const plan = planMemory([...lifetimes.values()]);
  const where = new Map([...lifetimes.keys()].map((storage, i) => [storage, plan.assignment[i]]));
  for (const [storage, place] of standIn) where.set(storage, where.get(place) as number);
  return { plan: { ...plan, pooledBytes: pooledBytes([...eager.values()]) }, where, commands };
}

/** Bytes that a replay has beside temporaries and outputs: parameters, and values that change by step. */
export function besideBytes({ steps }: Trace, { commands }: PlannedTrace, { limits }: GPUDevice): number {
  const values = steps.flatMap((step) => (typeof step === 'object' ? [step.storage.bytes] : []));
  const params = packParams(commands, limits.minUniformBufferOffsetAlignment).data.byteLength;
  return params + offsets(values, limits.minStorageBufferOffsetAlignment)[values.length];
}

export class Replay {
  readonly memory: CaptureMemory;
  readonly #engine: Engine;
  readonly #program: Program;
  readonly #steps: readonly HostStep[];
  /** Made outside the function, or returned by it: whoever disposes one makes the capture useless. */
  readonly #needed: readonly Storage[];
  readonly #written: readonly Storage[];
  readonly #outputs: readonly Storage[];
  readonly #lease: Lease;
  readonly #owned: readonly { buffer: GPUBuffer; bytes: number }[];
  /** Host copy of the values that change by step, and where each begins. */
  readonly #values: { readonly buffer: GPUBuffer; readonly data: Uint8Array<ArrayBuffer>; readonly starts: readonly number[] } | undefined;
  #disposed = false;

  /** Allocates and binds. The pipelines are compiled already. */
  constructor(engine: Engine, trace: Trace, outputs: ReadonlySet<Storage>, { plan, where, commands }: PlannedTrace) {
    const { device, pool } = engine;
    const outside = trace.outside();
    this.#engine = engine;
    this.#steps = trace.steps;
    this.#outputs = [...outputs];
    this.#needed = [...new Set([...outside.all, ...outputs])];
    this.#written = [...outside.written, ...this.#outputs.filter((storage) => trace.writes(storage))];
    for (const storage of outputs) storage.settle(pool);

    const owned: { buffer: GPUBuffer; bytes: number }[] = [];
    const reserve = (bytes: number, usage: number): GPUBuffer => {
      const buffer = pool.reserve(bytes, usage);
      owned.push({ buffer, bytes });
      return buffer;
    };
    this.#owned = owned;
    this.#lease = engine.arena.lease(plan.buffers);
    try {
      // Values by step lie in one buffer, so that one write brings them all.
      const values = trace.steps.flatMap((step) => (typeof step === 'object' ? [step.storage] : []));
      const valueStarts = offsets(values.map(({ bytes }) => bytes), device.limits.minStorageBufferOffsetAlignment);
      if (values.length > 0) {
        const bytes = valueStarts[values.length];
        this.#values = { buffer: reserve(bytes, 0x80 | 0x08), data: new Uint8Array(bytes), starts: valueStarts }; // STORAGE | COPY_DST
      }
      const place = (storage: Storage): GPUBufferBinding => {
        const planned = where.get(storage);
        if (planned !== undefined) return { buffer: this.#lease.buffers[planned], size: storage.bytes };
        const value = values.indexOf(storage);
        if (value === -1) return { buffer: storage.buffer, size: storage.bytes };
        return { buffer: (this.#values as { buffer: GPUBuffer }).buffer, offset: valueStarts[value], size: storage.bytes };
      };
      this.#program = bind(engine, commands, place, (bytes) => reserve(bytes, 0x40 | 0x08)); // UNIFORM | COPY_DST
    } catch (error) {
      this.dispose();
      throw error;
    }
    this.memory = {
      plannedBytes: plan.bytes,
      lowerBoundBytes: plan.lowerBound,
      sharedBoundBytes: plan.sharedBound,
      pooledBytes: plan.pooledBytes,
      outputBytes: [...outputs].reduce((sum, { bytes }) => sum + bytes, 0),
      parameterBytes: owned.reduce((sum, { bytes }) => sum + bytes, 0),
      buffers: plan.buffers.length,
      temporaries: where.size,
      commands: commands.length,
    };
  }

  /** Records the program after all that was recorded so far. */
  run(): void {
    const { log, recorder } = this.#engine;
    log.assertAlive();
    const trace = this.#engine.trace();
    if (trace?.repeats) throw trace.refuse('a replay inside the function; call what was captured instead, and it becomes part of this one');
    if (trace) return; // compiled already
    if (this.#disposed) throw new UsageError('replay: the capture was disposed; capture the function again');
    for (const storage of this.#needed) {
      if (storage.released) {
        throw new DeviceError('replay: a tensor that the captured function uses or returned was disposed since; capture the function again');
      }
    }
    let value = 0;
    for (const step of this.#steps) {
      if (typeof step === 'function') {
        step();
        continue;
      }
      const data = step.values();
      const { data: all, starts } = this.#values as { data: Uint8Array; starts: readonly number[] };
      all.set(new Uint8Array(data.buffer, data.byteOffset, Math.min(data.byteLength, step.storage.bytes)), starts[value++]);
    }
    if (this.#values) recorder.write(this.#values.buffer, 0, this.#values.data); // earlier replays keep their own step's
    recorder.run(this.#program);
    for (const storage of this.#written) storage.version++;
  }

  /** Gives the memory back, that of the outputs too. */
  dispose(): void {
    this.forget();
    for (const storage of this.#outputs) storage.release();
  }

  /** Gives the memory back but for the outputs, which somebody may still hold. */
  forget(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#engine.recorder.flush(); // a destroyed buffer may not be in what is submitted
    this.#lease.release();
    for (const { buffer, bytes } of this.#owned) this.#engine.pool.unreserve(buffer, bytes);
  }
}

/**
 * Makes a traced function ready to run. Where memory is missing, once more after what lies unused was given back.
 * @throws OutOfMemoryError when there is too little even so.
 */
export async function makeReady(engine: Engine, { trace, outputs }: { trace: Trace; outputs: ReadonlySet<Storage> }): Promise<Replay> {
  const { device, pipelines, recorder, pool, log } = engine;
  const planned = planTrace(trace, outputs);
  await pipelines.compile(planned.commands.flatMap((command) => (command.kind === 'dispatch' ? [command.kernel] : [])));
  // What has no memory yet gets it here, and has nothing in it that could be lost.
  const fresh = [...outputs, ...trace.outside().all.filter((storage) => !storage.made)];
  for (let retried = false; ; retried = true) {
    log.assertAlive();
    device.pushErrorScope('validation');
    let replay: Replay | undefined;
    try {
      try {
        replay = new Replay(engine, trace, outputs, planned);
      } finally {
        log.watch(device.popErrorScope(), 'capturing');
      }
      await log.throwAll();
      return replay;
    } catch (error) {
      replay?.forget();
      if (replay === undefined || retried || !(error instanceof OutOfMemoryError)) {
        for (const storage of outputs) storage.release();
        throw error;
      }
      for (const storage of fresh) storage.vacate();
      recorder.flush();
      pool.trim();
    }
  }
}

/** Commands with their pipelines and bind groups, and all their parameters in one buffer. */
function bind(
  { device, pipelines }: Engine,
  commands: readonly TracedCommand[],
  place: (storage: Storage) => GPUBufferBinding,
  reserve: (bytes: number) => GPUBuffer,
): Program {
  const params = packParams(commands, device.limits.minUniformBufferOffsetAlignment);
  const uniforms = params.data.byteLength > 0 ? reserve(params.data.byteLength) : undefined;
  if (uniforms) device.queue.writeBuffer(uniforms, 0, params.data);
  const program: (ReadyDispatch[] | { from: GPUBuffer; to: GPUBuffer; bytes: number })[] = [];
  let run: ReadyDispatch[] | undefined;
  commands.forEach((command, i) => {
    if (command.kind === 'copy') {
      run = undefined;
      program.push({ from: place(command.from).buffer, to: place(command.to).buffer, bytes: command.bytes });
      return;
    }
    const { kernel, storages, workgroups: [x, y, z] } = command;
    const pipeline = pipelines.get(kernel);
    let next = 0;
    const entries = kernel.reflection.bindings.map(({ binding, access }): GPUBindGroupEntry => {
      if (access !== 'uniform') return { binding, resource: place(storages[next++]) };
      return { binding, resource: { buffer: uniforms as GPUBuffer, offset: params.starts[i], size: command.params.byteLength } };
    });
    const group = device.createBindGroup({ label: kernel.name, layout: pipeline.getBindGroupLayout(0), entries });
    if (run === undefined) program.push((run = []));
    run.push({ name: kernel.name, pipeline, switches: run.at(-1)?.pipeline !== pipeline, group, x, y, z });
  });
  return program;
}

/** All parameters one after the other, equal ones once; `starts` by command. */
function packParams(commands: readonly TracedCommand[], alignment: number): { data: Uint8Array<ArrayBuffer>; starts: number[] } {
  const known = new Map<string, number>();
  const blocks: Uint8Array[] = [];
  let end = 0;
  const starts = commands.map((command) => {
    if (command.kind === 'copy' || command.params.byteLength === 0) return 0;
    const key = command.params.join();
    let start = known.get(key);
    if (start === undefined) {
      start = end;
      known.set(key, start);
      blocks.push(command.params);
      end += Math.ceil(command.params.byteLength / alignment) * alignment;
    }
    return start;
  });
  const data = new Uint8Array(end);
  let at = 0;
  for (const block of blocks) {
    data.set(block, at);
    at += Math.ceil(block.byteLength / alignment) * alignment;
  }
  return { data, starts };
}

/** Where each of `sizes` begins when they follow one another aligned; the last is their end. */
function offsets(sizes: readonly number[], alignment: number): number[] {
  const starts = [0];
  for (const size of sizes) starts.push((starts.at(-1) as number) + Math.ceil(size / alignment) * alignment);
  return starts;
}
