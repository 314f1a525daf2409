/**
 * A tensor on the device: shape, element type, storage, and its place in the autograd graph, if it has one. No maths.
 *
 * Inside the engine images are NHWC and convolution weights are HWIO ([kh, kw, in / groups, out]); `Tensor.fromHost`
 * and `toHost` convert from and to PyTorch's order when a layout is named.
 */
import { DeviceError, DtypeError, ShapeError, formatShape } from './errors';
import type { Storage } from './gpu/buffers';
import type { CaptureMemory, Replay } from './gpu/capture';
import type { Gpu } from './gpu/gpu';
import { f32, fromHalves, outsideShape, sizeOf, toFloat32, toHalves, toInside, toOutside, type HostTensor, type Layout } from './hostTensor';

export type { Layout } from './hostTensor';

/** Types of real numbers. `f16` is for storage: sums are always in `f32`. */
export type FloatDtype = 'f32' | 'f16';

/** Types that kernels compute on. Class indices are `i32`. */
export type TensorDtype = FloatDtype | 'i32';

/** Bytes of one element. */
const BYTES: Readonly<Record<TensorDtype, number>> = { f32: 4, f16: 2, i32: 4 };

/** What autograd keeps about the operation that made a tensor (see autograd/op.ts). */
export interface GradNode {
  readonly id: number;
}

export class Tensor {
  readonly gpu: Gpu;
  readonly shape: readonly number[];
  readonly dtype: TensorDtype;
  readonly storage: Storage;
  /** Set on leaves (parameters) that gradients are wanted for. */
  requiresGrad = false;
  /** Set by `backward` on leaves; the same shape. */
  grad: Tensor | undefined;
  /** The operation this tensor came from, when a gradient can flow through it. */
  node: GradNode | undefined;

  /** Wraps a storage. Most code wants `empty` or `fromHost`. @throws DeviceError for `f16` where the adapter has none. */
  constructor(gpu: Gpu, shape: readonly number[], dtype: TensorDtype = 'f32', storage?: Storage) {
    this.gpu = gpu;
    this.shape = shape;
    this.dtype = dtype;
    if (dtype === 'f16') assertHalf(gpu);
    this.storage = storage ?? gpu.allocate(BYTES[dtype] * sizeOf(shape));
  }

  /** An uninitialised tensor. */
  static empty(gpu: Gpu, shape: readonly number[], dtype: TensorDtype = 'f32'): Tensor {
    return new Tensor(gpu, shape, dtype);
  }

  /**
   * A tensor of ordinary numbers, already in the engine's order. Real numbers are kept as `dtype`: `f16` rounds them to
   * nearest, and what is past 65504 becomes infinite.
   */
  static fromArray(gpu: Gpu, shape: readonly number[], data: Float32Array | Int32Array | readonly number[], dtype: FloatDtype = 'f32'): Tensor {
    const array = Array.isArray(data) ? Float32Array.from(data) : (data as Float32Array | Int32Array);
    if (array.length !== sizeOf(shape)) {
      throw new ShapeError(`Tensor.fromArray: ${array.length} values do not fill shape ${formatShape(shape)} (${sizeOf(shape)})`);
    }
    const tensor = new Tensor(gpu, shape, array instanceof Int32Array ? 'i32' : dtype);
    gpu.upload(tensor.storage, tensor.dtype === 'f16' ? toHalves(array) : array);
    return tensor;
  }

  /**
   * Uploads a host tensor. Integer dtypes (I64, I32, …) become `i32`, floating ones `dtype`; F16 to `f16` as it is.
   * @throws ShapeError when the rank does not fit the layout; DtypeError when a value is too large for `f16`.
   */
  static fromHost(gpu: Gpu, host: HostTensor, layout: Layout = 'plain', dtype: FloatDtype = 'f32'): Tensor {
    if (host.data.length !== sizeOf(host.shape)) {
      throw new ShapeError(`Tensor.fromHost: ${host.data.length} values do not fill shape ${formatShape(host.shape)}`);
    }
    if (host.dtype === 'I64' || host.dtype === 'I32' || host.dtype === 'I16' || host.dtype === 'I8' || host.dtype === 'U8') {
      return Tensor.fromArray(gpu, host.shape, Int32Array.from(host.data as ArrayLike<number | bigint>, Number));
    }
    if (host.dtype === 'BOOL') throw new DtypeError('Tensor.fromHost: BOOL tensors have no place in the engine; convert to F32 first');
    const { shape, data } = toInside(host.shape, elementsOf(host, dtype, 'Tensor.fromHost'), layout);
    const tensor = new Tensor(gpu, shape, dtype);
    gpu.upload(tensor.storage, data);
    return tensor;
  }

  /** Counts what has written the elements since they were allocated, for what is derived from them. */
  get version(): number {
    return this.storage.version;
  }

  set version(version: number) {
    this.storage.version = version;
  }

  get size(): number {
    return sizeOf(this.shape);
  }

  /** The shape that `toHost` gives for a layout. */
  hostShape(layout: Layout = 'plain'): number[] {
    return outsideShape(this.shape, layout);
  }

  /** Reads the elements back, in the engine's own order; those of an `f16` tensor as f32. Submits pending work and waits. */
  async toArray(): Promise<Float32Array | Int32Array> {
    const elements = await this.#elements();
    return elements instanceof Uint16Array ? fromHalves(elements) : elements;
  }

  /** Reads back as a host tensor in PyTorch's order: F32, F16 or I32. */
  async toHost(layout: Layout = 'plain'): Promise<HostTensor> {
    const data = await this.#elements();
    if (data instanceof Int32Array) return { dtype: 'I32', shape: this.shape, data };
    const shape = outsideShape(this.shape, layout);
    if (data instanceof Uint16Array) return { dtype: 'F16', shape, data: toOutside(this.shape, data, layout) };
    return f32(shape, toOutside(this.shape, data, layout));
  }

  /** Those of `f16` as their bits. */
  async #elements(): Promise<Float32Array | Int32Array | Uint16Array> {
    const buffer = await this.gpu.read(this.storage, BYTES[this.dtype] * this.size);
    if (this.dtype === 'f16') return new Uint16Array(buffer);
    return this.dtype === 'f32' ? new Float32Array(buffer) : new Int32Array(buffer);
  }

  /** Overwrites the elements from a host tensor of the same (outside) shape. @throws DtypeError when a value is too large for `f16`. */
  assign(host: HostTensor, layout: Layout = 'plain'): void {
    const { shape, data } = toInside(host.shape, elementsOf(host, this.dtype, 'assign'), layout);
    if (formatShape(shape) !== formatShape(this.shape)) {
      throw new ShapeError(`assign: got ${formatShape(host.shape)}, the tensor is ${formatShape(this.hostShape(layout))}`);
    }
    if (data.length !== this.size) throw new ShapeError(`assign: ${data.length} values do not fill shape ${formatShape(host.shape)} (${this.size})`);
    this.gpu.upload(this.storage, data);
  }

  /**
   * Overwrites the elements with as many numbers in the engine's own order: how the inputs of a captured function are
   * filled before each replay. Takes effect after everything recorded so far.
   * @throws ShapeError for another number of elements; DtypeError for integers in place of real numbers, or the reverse.
   */
  write(data: Float32Array | Int32Array): void {
    const dtype = data instanceof Int32Array ? 'i32' : 'f32';
    if ((dtype === 'i32') !== (this.dtype === 'i32')) throw new DtypeError(`write: the tensor holds ${this.dtype}, got ${dtype}; give ${this.dtype === 'i32' ? 'an Int32Array' : 'a Float32Array'}`);
    if (data.length !== this.size) throw new ShapeError(`write: ${data.length} values do not fill shape ${formatShape(this.shape)} (${this.size})`);
    this.gpu.upload(this.storage, this.dtype === 'f16' ? toHalves(data) : data);
  }

  /** The same elements under another shape; shares storage, so neither may be disposed while the other is used. */
  view(shape: readonly number[]): Tensor {
    if (sizeOf(shape) !== this.size) {
      throw new ShapeError(`view: ${formatShape(this.shape)} (${this.size} elements) cannot be seen as ${formatShape(shape)} (${sizeOf(shape)})`);
    }
    return new Tensor(this.gpu, shape, this.dtype, this.storage);
  }

  /** Gives the memory back now rather than at the end of the scope. */
  dispose(): void {
    this.storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Runs `fn` and gives back all memory it took, except that of the tensors it returns (alone, in an array or as values
 * of an object) and of anything passed to `keep`.
 */
export function scope<T>(gpu: Gpu, fn: () => T): T {
  return gpu.scope(fn, (result) => tensorsIn(result).map((t) => t.storage));
}

/** Lets a tensor outlive every open scope: parameters, optimiser state, caches. Returns it. */
export function keep<T extends Tensor>(tensor: T): T {
  tensor.gpu.keep(tensor.storage);
  return tensor;
}

/** A net under `Captured.dispose`. */
const forgotten = new FinalizationRegistry<Replay>((replay) => replay.forget());

/** A function made ready to run again and again (see `capture`). */
export class Captured<T> {
  /** What the function returned. Each replay overwrites it; it lives until `dispose`. */
  readonly outputs: T;
  readonly #replay: Replay;

  /** `capture` makes one. */
  constructor(outputs: T, replay: Replay) {
    this.outputs = outputs;
    this.#replay = replay;
    forgotten.register(this, replay);
  }

  /** Bytes and commands of a replay. */
  get memory(): CaptureMemory {
    return this.#replay.memory;
  }

  /**
   * Records one run of the function, after everything recorded so far, and returns `outputs`. Nothing is waited for:
   * reads, uploads and `gpu.flush()` submit it.
   * @throws DeviceError when the device is lost, or a tensor that the function uses was disposed since.
   */
  replay(): T {
    this.#replay.run();
    return this.outputs;
  }

  /** Frees the temporaries and the outputs. */
  dispose(): void {
    this.#replay.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Looks at what `fn` records, once, without running it, and makes it ready to be replayed: memory planned by lifetime,
 * pipelines compiled, bind groups made. A replay does what running `fn` again would do, to the same bits, with next to
 * no JavaScript.
 *
 * Tensors made outside are used by reference: parameters, optimiser state, and inputs, which are filled with `write()`
 * before each replay. What `fn` decides in JavaScript (training mode, what is frozen, shapes) is decided once; capture
 * again when it changes. What changes by step goes through `gpu.stepValues` and `gpu.everyStep`, as optimisers, dropout
 * and batch norm do. Replays may alternate with eager work and with other captures.
 *
 * @param fn returns tensors, alone, in an array or as values of an object. They carry no graph.
 * @throws UsageError when `fn` uploads, reads back, waits, keeps what it made, or disposes what it did not make.
 */
export async function capture<T>(gpu: Gpu, fn: () => T): Promise<Captured<T>> {
  const traced = gpu.trace(fn, (result) => tensorsIn(result).map((t) => t.storage));
  for (const tensor of tensorsIn(traced.result)) if (traced.outputs.has(tensor.storage)) tensor.node = undefined;
  return new Captured(traced.result, await gpu.prepare(traced));
}

function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.values(value).flatMap(tensorsIn);
  }
  return [];
}

function assertHalf({ adapter, device }: Gpu): void {
  if (device.features.has('shader-f16')) return;
  const name = adapter.description || `${adapter.vendor} ${adapter.architecture}`.trim() || 'without a name';
  throw new DeviceError(`f16 tensors need the adapter's shader-f16 feature, which '${name}' lacks; use f32 (precision 'float32')`);
}

/** The elements as a tensor of `dtype` holds them. Rounding to `f16` is silent, a weight that becomes infinite is not. */
function elementsOf(host: HostTensor, dtype: TensorDtype, op: string): Float32Array | Uint16Array {
  if (dtype !== 'f16') return toFloat32(host);
  if (host.dtype === 'F16') return host.data as Uint16Array;
  const values = toFloat32(host);
  const halves = toHalves(values);
  const at = halves.findIndex((bits, i) => (bits & 0x7fff) === 0x7c00 && Number.isFinite(values[i]));
  if (at >= 0) throw new DtypeError(`${op}: ${values[at]} (element ${at}) is too large for f16, which ends at 65504; use f32 (precision 'float32')`);
  return halves;
}
