/**
 * Storage on the device: buffers by size class, handed out, taken back and counted.
 *
 * A released buffer may be handed out again at once: the queue runs commands in order, so whoever gets it next writes
 * it after every earlier reader. Nothing is cleared; each kernel writes all of its output.
 */
import { DeviceError, OutOfMemoryError } from '../errors';

/** Usage of every pooled buffer; one kind, so that any of them fits any tensor. */
const STORAGE = 0x80 | 0x04 | 0x08; // GPUBufferUsage.STORAGE | COPY_SRC | COPY_DST, spelled out: no GPU global in Node

/** Where a storage gets its buffer from and gives it back to: the pool, or a trace, which has none. */
export interface Home {
  take(storage: Storage): GPUBuffer;
  /** `buffer` is undefined when none was ever asked for. */
  give(storage: Storage, buffer: GPUBuffer | undefined): void;
}

/** A piece of device memory. The buffer is made on first use, so that a dry run allocates nothing. */
export class Storage {
  readonly bytes: number;
  /** Counts what has written it: dispatches, copies, uploads and replays. For what is derived from its contents. */
  version = 0;
  #home: Home;
  #buffer: GPUBuffer | undefined;
  #released = false;
  #derived: Storage[] | undefined;

  constructor(home: Home, bytes: number) {
    this.#home = home;
    this.bytes = bytes;
  }

  get buffer(): GPUBuffer {
    if (this.#buffer) return this.#buffer;
    if (this.#released) throw new DeviceError('a tensor was used after it was disposed; keep it out of scope() or call keep()');
    return (this.#buffer = this.#home.take(this));
  }

  /** Whether it has a buffer yet. */
  get made(): boolean {
    return this.#buffer !== undefined;
  }

  /** Gives up the buffer, if it has one, with what is in it; the next use asks for another. */
  vacate(): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    this.#home.give(this, buffer);
  }

  /** Moves a storage that has no buffer yet to another home. */
  settle(home: Home): void {
    this.#home = home;
  }

  get released(): boolean {
    return this.#released;
  }

  /** Has `derived`, which holds something made of this one's contents, released together with it. */
  releaseWith(derived: Storage): void {
    (this.#derived ??= []).push(derived);
  }

  /** Gives the buffer back. Safe to call twice. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (const derived of this.#derived ?? []) derived.release();
    this.#home.give(this, this.#buffer);
    this.#buffer = undefined;
  }
}

export interface MemoryReport {
  /** Bytes held by tensors that are alive. */
  readonly liveBytes: number;
  /** Bytes allocated on the device: live ones and those kept for reuse. */
  readonly allocatedBytes: number;
  /** Most bytes that were ever allocated. */
  readonly peakBytes: number;
  readonly liveBuffers: number;
}

export class BufferPool implements Home {
  readonly #device: GPUDevice;
  readonly #free = new Map<number, GPUBuffer[]>();
  /** Every buffer there is, with its size: free ones and those in use. */
  readonly #all = new Map<GPUBuffer, number>();
  readonly #onError: (error: Promise<GPUError | null>, what: string) => void;
  /** A net under scopes and `dispose`: a storage that nobody holds any more gives its buffer back. */
  readonly #forgotten = new FinalizationRegistry<{ buffer: GPUBuffer; size: number }>(({ buffer, size }) => this.#giveBack(size, buffer));
  #live = 0;
  #liveBuffers = 0;
  #allocated = 0;
  #peak = 0;

  constructor(device: GPUDevice, onError: (error: Promise<GPUError | null>, what: string) => void) {
    this.#device = device;
    this.#onError = onError;
  }

  take(storage: Storage): GPUBuffer {
    const size = this.#sizeFor(storage.bytes);
    const buffer = this.#free.get(size)?.pop() ?? this.#create(storage.bytes, size);
    this.#live += size;
    this.#liveBuffers++;
    this.#forgotten.register(storage, { buffer, size }, storage);
    return buffer;
  }

  give(storage: Storage, buffer: GPUBuffer | undefined): void {
    if (buffer === undefined) return;
    this.#forgotten.unregister(storage);
    this.#giveBack(this.#sizeFor(storage.bytes), buffer);
  }

  /** A buffer of exactly this size outside the pooling, counted as live. For what captures plan by themselves. */
  reserve(bytes: number, usage = STORAGE): GPUBuffer {
    const buffer = this.#create(bytes, bytes, usage);
    this.#live += bytes;
    this.#liveBuffers++;
    return buffer;
  }

  /** Destroys a buffer that `reserve` gave. */
  unreserve(buffer: GPUBuffer, bytes: number): void {
    this.#live -= bytes;
    this.#liveBuffers--;
    if (!this.#all.delete(buffer)) return; // there was no memory for it, or the pool is gone
    this.#allocated -= bytes;
    buffer.destroy();
  }

  #create(bytes: number, size: number, usage = STORAGE): GPUBuffer {
    const limit = this.#limit;
    if (bytes > limit) {
      throw new OutOfMemoryError(
        `a tensor of ${megabytes(bytes)} is larger than this adapter can bind (${megabytes(limit)}); use a smaller batch or image size`,
      );
    }
    this.#allocated += size;
    this.#peak = Math.max(this.#peak, this.#allocated);
    this.#device.pushErrorScope('out-of-memory');
    const buffer = this.#device.createBuffer({ label: `graft ${size} B`, size, usage });
    this.#all.set(buffer, size);
    const outcome = this.#device.popErrorScope();
    outcome.then((error) => error && this.#forget(buffer), () => undefined);
    this.#onError(outcome, `allocating ${megabytes(bytes)} (${megabytes(this.#live)} in use)`);
    return buffer;
  }

  #giveBack(size: number, buffer: GPUBuffer): void {
    this.#live -= size;
    this.#liveBuffers--;
    if (!this.#all.has(buffer)) return;
    const list = this.#free.get(size);
    if (list) list.push(buffer);
    else this.#free.set(size, [buffer]);
  }

  /** Destroys the buffers nobody uses. */
  trim(): void {
    for (const [size, list] of this.#free) {
      for (const buffer of list) {
        buffer.destroy();
        this.#all.delete(buffer);
      }
      this.#allocated -= size * list.length;
    }
    this.#free.clear();
  }

  /** A buffer that there was no memory for must not be handed out again. */
  #forget(buffer: GPUBuffer): void {
    const size = this.#all.get(buffer);
    if (size === undefined) return;
    this.#all.delete(buffer);
    this.#allocated -= size;
    const list = this.#free.get(size);
    if (list?.includes(buffer)) list.splice(list.indexOf(buffer), 1);
  }

  get #limit(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    return Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  /** The size class, or the bytes themselves where only those are within the adapter's limit. */
  #sizeFor(bytes: number): number {
    const size = sizeClass(bytes);
    return size > this.#limit ? bytes : size;
  }

  /** Destroys every buffer, those in use too. */
  destroy(): void {
    for (const buffer of this.#all.keys()) buffer.destroy();
    this.#all.clear();
    this.#free.clear();
    this.#allocated = 0;
  }

  report(): MemoryReport {
    return { liveBytes: this.#live, allocatedBytes: this.#allocated, peakBytes: this.#peak, liveBuffers: this.#liveBuffers };
  }
}

/** Rounds up to four significant bits (at most an eighth more), so that near sizes share buffers; 256 bytes at least. */
export function sizeClass(bytes: number): number {
  if (bytes <= 256) return 256;
  const unit = 2 ** Math.max(8, Math.floor(Math.log2(bytes)) - 3);
  return Math.ceil(bytes / unit) * unit;
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}
