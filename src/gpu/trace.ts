/**
 * What a function asks of the device, as a list: kernels, copies, parameters, and when each temporary is used. Nothing
 * runs and nothing is allocated.
 *
 * `precompile` only wants the kernels; `capture` makes a program of the rest (see capture.ts).
 */
import { DeviceError, UsageError } from '../errors';
import { Storage, type Home } from './buffers';
import type { Kernel } from './kernel';
import type { Lifetime } from './plan';
import type { Grid } from './recorder';

export interface TracedDispatch {
  readonly kind: 'dispatch';
  readonly kernel: Kernel;
  /** Storages in the order of the kernel's bindings, its uniform left out. */
  readonly storages: readonly Storage[];
  /** Packed as the shader's `Params`; empty without. */
  readonly params: Uint8Array;
  readonly workgroups: Grid;
}

export interface TracedCopy {
  readonly kind: 'copy';
  readonly from: Storage;
  readonly to: Storage;
  readonly bytes: number;
}

export type TracedCommand = TracedDispatch | TracedCopy;

/** Contents of a storage that are computed anew before each run. */
export interface StepValues {
  readonly storage: Storage;
  readonly values: () => ArrayBufferView;
}

/** Something to do on the host before each run: a count, values to upload, or derived tensors to bring up to date. */
export type HostStep = (() => void) | StepValues;

export class Trace implements Home {
  readonly #commands: TracedCommand[] = [];
  readonly #kernels = new Map<string, Kernel>();
  readonly #steps: HostStep[] = [];
  /** Storages made inside, with the number of commands before their release. */
  readonly #inside = new Map<Storage, number>();
  readonly #written = new Set<Storage>();
  readonly #scratch = new DataView(new ArrayBuffer(256));
  /** Whether the trace is to be run later: then what cannot be repeated is refused. */
  readonly #repeats: boolean;
  #refused: UsageError | undefined;
  #open = true;

  constructor(repeats: boolean) {
    this.#repeats = repeats;
  }

  get repeats(): boolean {
    return this.#repeats;
  }

  get commands(): readonly TracedCommand[] {
    return this.#commands;
  }

  get kernels(): Iterable<Kernel> {
    return this.#kernels.values();
  }

  get steps(): readonly HostStep[] {
    return this.#steps;
  }

  allocate(bytes: number): Storage {
    const storage = new Storage(this, bytes);
    this.#inside.set(storage, Infinity);
    return storage;
  }

  take(): GPUBuffer {
    throw new DeviceError('a tensor made inside a captured function has no memory of its own outside it; return it from the function, and read it after a replay');
  }

  give(storage: Storage): void {
    if (this.#open) this.#inside.set(storage, this.#commands.length);
  }

  /** Whether the storage was made inside the function. */
  owns(storage: Storage): boolean {
    return this.#inside.has(storage);
  }

  /** Whether a command so far writes the storage. */
  writes(storage: Storage): boolean {
    return this.#written.has(storage);
  }

  /** Remembers a kernel that will be needed. */
  note(kernel: Kernel): void {
    this.#kernels.set(kernel.key, kernel);
  }

  dispatch(kernel: Kernel, bindings: Readonly<Record<string, Storage>>, params: Readonly<Record<string, number>>, workgroups: Grid): void {
    this.note(kernel);
    const storages: Storage[] = [];
    let packed = new Uint8Array(0);
    for (const { name, access } of kernel.reflection.bindings) {
      if (access === 'uniform') {
        const size = kernel.packParams(params, this.#scratch, 0);
        packed = new Uint8Array(this.#scratch.buffer.slice(0, Math.ceil(size / 16) * 16));
        continue;
      }
      this.#assertUsable(bindings[name]);
      storages.push(bindings[name]);
      if (access === 'read_write') this.#written.add(bindings[name]);
    }
    this.#commands.push({ kind: 'dispatch', kernel, storages, params: packed, workgroups });
  }

  copy(from: Storage, to: Storage, bytes: number): void {
    this.#assertUsable(from);
    this.#assertUsable(to);
    this.#written.add(to);
    this.#commands.push({ kind: 'copy', from, to, bytes });
  }

  step(step: HostStep): void {
    this.#steps.push(step);
  }

  /** Remembers that the function did what cannot be repeated; the capture fails with it, whatever the function does then. */
  refuse(what: string): UsageError {
    this.#refused ??= new UsageError(`capture: ${what}`);
    return this.#refused;
  }

  /** Runs the function and ends the trace. @throws UsageError for the first thing that cannot be repeated, else what `fn` throws. */
  closeAfter<T>(fn: () => T): T {
    let result: T;
    try {
      result = fn();
    } catch (error) {
      throw this.#refused ?? error;
    } finally {
      this.#open = false;
    }
    if (this.#refused) throw this.#refused;
    const gone = this.#commands.flatMap(storagesOf).find((storage) => storage.released && !this.owns(storage));
    if (gone) throw new UsageError('capture: the function disposes a tensor that was made outside it, which only the first run could do; dispose it outside');
    return result;
  }

  /** Storages used that were made outside, and those of them that are written. */
  outside(): { all: Storage[]; written: Storage[] } {
    const all = [...new Set(this.#commands.flatMap(storagesOf))].filter((storage) => !this.owns(storage));
    return { all, written: all.filter((storage) => this.#written.has(storage)) };
  }

  /** Lifetimes of what was made inside and used, but for `pinned`. */
  temporaries(pinned: ReadonlySet<Storage>): Map<Storage, Lifetime> {
    const lifetimes = new Map<Storage, Lifetime>();
    this.#commands.forEach((command, i) => {
      for (const storage of storagesOf(command)) {
        const released = this.#inside.get(storage);
        if (released === undefined || pinned.has(storage)) continue;
        lifetimes.set(storage, { bytes: storage.bytes, first: lifetimes.get(storage)?.first ?? i, last: i, released });
      }
    });
    return lifetimes;
  }

  #assertUsable(storage: Storage): void {
    if (storage.released) throw new DeviceError('a tensor was used after it was disposed; keep it out of scope() or call keep()');
  }
}

function storagesOf(command: TracedCommand): readonly Storage[] {
  return command.kind === 'copy' ? [command.from, command.to] : command.storages;
}
