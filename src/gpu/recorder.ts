/**
 * The open command encoder: dispatches and copies in the order they are given, in as few compute passes as possible,
 * until `flush` submits them. Parameters of eager dispatches go into slots of one uniform buffer.
 */
import type { Storage } from './buffers';
import type { ErrorLog } from './errorLog';
import type { Kernel } from './kernel';
import type { Pipelines } from './pipelines';
import { Profiler } from './profiler';

/** Bytes of one dispatch's uniform slot: the largest alignment WebGPU allows an adapter to ask for. */
const SLOT = 256;
const SLOTS = 512;

export type Grid = readonly [number, number, number];

/** A dispatch with nothing left to decide. */
export interface ReadyDispatch {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  /** True when the dispatch before it, in the same program and pass, has another pipeline. */
  readonly switches: boolean;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

export interface ReadyCopy {
  readonly from: GPUBuffer;
  readonly to: GPUBuffer;
  readonly bytes: number;
}

/** Commands of a captured function: runs of dispatches with copies between them. */
export type Program = readonly (readonly ReadyDispatch[] | ReadyCopy)[];

export class Recorder {
  readonly #device: GPUDevice;
  readonly #log: ErrorLog;
  readonly #pipelines: Pipelines;
  readonly #params: GPUBuffer;
  readonly #paramsData = new ArrayBuffer(SLOT * SLOTS);
  readonly #paramsView = new DataView(this.#paramsData);
  #slot = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #profiler: Profiler | undefined;

  constructor(device: GPUDevice, pipelines: Pipelines, log: ErrorLog) {
    this.#device = device;
    this.#pipelines = pipelines;
    this.#log = log;
    this.#params = device.createBuffer({ label: 'graft params', size: SLOT * SLOTS, usage: 0x40 | 0x08 }); // UNIFORM | COPY_DST
  }

  dispatch(
    kernel: Kernel,
    bindings: Readonly<Record<string, Storage>>,
    params: Readonly<Record<string, number>>,
    [x, y, z]: Grid,
  ): void {
    if (this.#slot === SLOTS || this.#profiler?.full) this.flush();
    this.#openEncoder(); // and with it the error scope that a pipeline made now is seen by
    const pipeline = this.#pipelines.get(kernel);
    const entries = kernel.reflection.bindings.map(({ name, binding, access }): GPUBindGroupEntry => {
      if (access === 'uniform') {
        const offset = SLOT * this.#slot++;
        const size = kernel.packParams(params, this.#paramsView, offset);
        return { binding, resource: { buffer: this.#params, offset, size: Math.ceil(size / 16) * 16 } };
      }
      const storage = bindings[name];
      if (access === 'read_write') storage.version++;
      return { binding, resource: { buffer: storage.buffer, size: storage.bytes } };
    });
    const group = this.#device.createBindGroup({ label: kernel.name, layout: pipeline.getBindGroupLayout(0), entries });
    const pass = this.#openPass(kernel.name);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y, z);
  }

  /** Records a whole program: three calls a dispatch and nothing else. */
  run(program: Program): void {
    for (const part of program) {
      if (!isRun(part)) this.copy(part.from, part.to, part.bytes);
      else if (this.#profiler) this.#runProfiled(part);
      else this.#run(part);
    }
  }

  #run(dispatches: readonly ReadyDispatch[]): void {
    const pass = this.#openPass('');
    for (let i = 0; i < dispatches.length; i++) {
      const { pipeline, switches, group, x, y, z } = dispatches[i];
      if (switches) pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      if (y === 1 && z === 1) pass.dispatchWorkgroups(x); // each argument costs 50 ns on its way out of JavaScript
      else pass.dispatchWorkgroups(x, y, z);
    }
  }

  #runProfiled(dispatches: readonly ReadyDispatch[]): void {
    for (const { name, pipeline, group, x, y, z } of dispatches) {
      const pass = this.#openPass(name);
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y, z);
    }
  }

  copy(from: GPUBuffer, to: GPUBuffer, bytes: number): void {
    this.#endPass();
    this.#openEncoder().copyBufferToBuffer(from, 0, to, 0, Math.ceil(bytes / 4) * 4);
  }

  /** Writes host data into a buffer, after everything recorded so far. */
  write(target: GPUBuffer, targetOffset: number, { buffer, byteOffset, byteLength }: ArrayBufferView): void {
    this.flush();
    if (byteLength % 4 === 0) {
      this.#device.queue.writeBuffer(target, targetOffset, buffer as ArrayBuffer, byteOffset, byteLength);
    } else {
      const padded = new Uint8Array(Math.ceil(byteLength / 4) * 4);
      padded.set(new Uint8Array(buffer, byteOffset, byteLength));
      this.#device.queue.writeBuffer(target, targetOffset, padded);
    }
  }

  /** Submits what was recorded. */
  flush(): void {
    const encoder = this.#encoder;
    if (encoder === undefined) return;
    this.#endPass();
    const collect = this.#profiler?.resolve(encoder);
    this.#encoder = undefined;
    if (this.#slot > 0) this.#device.queue.writeBuffer(this.#params, 0, this.#paramsData, 0, SLOT * this.#slot);
    this.#slot = 0;
    const commands = encoder.finish();
    this.#device.pushErrorScope('out-of-memory');
    this.#device.queue.submit([commands]);
    this.#log.watch(this.#device.popErrorScope(), 'running recorded commands', 'out-of-memory');
    this.#log.watch(this.#device.popErrorScope(), 'running recorded commands');
    collect?.();
  }

  /** Times every dispatch from now on, or none; returns what timed them until now. Submits what was recorded. */
  profile(on: boolean): Profiler | undefined {
    this.flush();
    const before = this.#profiler;
    this.#profiler = on ? new Profiler(this.#device) : undefined;
    return before;
  }

  destroy(): void {
    this.#params.destroy();
  }

  #openEncoder(): GPUCommandEncoder {
    if (this.#encoder === undefined) {
      this.#device.pushErrorScope('validation');
      this.#encoder = this.#device.createCommandEncoder();
    }
    return this.#encoder;
  }

  /** The pass that the next dispatch goes into: the open one, or, when profiling, one of its own. */
  #openPass(name: string): GPUComputePassEncoder {
    if (this.#profiler) {
      if (this.#profiler.full) this.flush();
      this.#endPass();
      const encoder = this.#openEncoder();
      return (this.#pass = encoder.beginComputePass({ label: name, timestampWrites: this.#profiler.timestampWrites(name) }));
    }
    return (this.#pass ??= this.#openEncoder().beginComputePass());
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }
}

function isRun(part: readonly ReadyDispatch[] | ReadyCopy): part is readonly ReadyDispatch[] {
  return Array.isArray(part);
}
