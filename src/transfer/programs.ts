/**
 * Work that a run repeats, captured once for each batch size: the same code makes the programs and, on paper, tells what
 * memory they will take (memory.ts).
 */
import { noGrad } from '../autograd/op';
import type { Gpu } from '../gpu/gpu';
import { sizeOf } from '../hostTensor';
import type { ResNet } from '../models/resnet';
import { Tensor, capture, keep } from '../tensor';

/** Commands ready to run. What `replay` gives is overwritten by the next one. */
export interface Program<T> {
  replay(): T;
  dispose(): void;
}

/** Makes what a run consists of: for real, or on paper (memory.ts). */
export interface Maker {
  /** A program of what `fn` records. `fn` returns a tensor that outlives it, or nothing. */
  make<T extends Tensor | void>(fn: () => T): Promise<Program<T>>;
  /** What lives beside programs, of `tensors`. `what` it is for. */
  hold<T>(what: 'optimizer' | 'inputs' | 'rest', fn: () => T, tensors: (made: T) => readonly Tensor[]): Promise<T>;
}

/** Makes them for real. */
export function captures(gpu: Gpu): Maker {
  return { make: (fn) => capture(gpu, fn), hold: (_, fn) => Promise.resolve(fn()) };
}

/** Where batches are uploaded to: one piece of memory, whatever their size. */
export class Inputs {
  /** Of one item. */
  readonly shape: readonly number[];
  readonly most: number;
  readonly #x: Tensor;
  readonly #targets: Tensor;

  static make(maker: Maker, gpu: Gpu, shape: readonly number[], most: number): Promise<Inputs> {
    return maker.hold('inputs', () => new Inputs(gpu, shape, most), ({ tensors }) => tensors);
  }

  /** Room for `most` items. */
  private constructor(gpu: Gpu, shape: readonly number[], most: number) {
    this.shape = shape;
    this.most = most;
    this.#x = keep(Tensor.empty(gpu, [most, ...shape]));
    this.#targets = keep(Tensor.empty(gpu, [most], 'i32'));
  }

  get tensors(): readonly Tensor[] {
    return [this.#x, this.#targets];
  }

  /** The first `count` items. */
  x(count: number): Tensor {
    return new Tensor(this.#x.gpu, [count, ...this.shape], 'f32', this.#x.storage);
  }

  /** Their classes. */
  targets(count: number): Tensor {
    return new Tensor(this.#x.gpu, [count], 'i32', this.#targets.storage);
  }

  /** Fills the first items. Takes effect after everything recorded so far. */
  write(x: Float32Array, targets?: Int32Array): void {
    this.x(x.length / sizeOf(this.shape)).write(x);
    if (targets) this.targets(targets.length).write(targets);
  }

  dispose(): void {
    for (const tensor of this.tensors) tensor.dispose();
  }
}

/** Forward passes in evaluation mode, a program for each batch size. */
export class Passes {
  readonly #maker: Maker;
  readonly #network: ResNet;
  readonly #inputs: Inputs;
  readonly #forward: (x: Tensor) => Tensor;
  readonly #programs = new Map<number, Program<Tensor>>();

  constructor(maker: Maker, network: ResNet, inputs: Inputs, forward: (x: Tensor) => Tensor) {
    this.#maker = maker;
    this.#network = network;
    this.#inputs = inputs;
    this.#forward = forward;
  }

  /** Items that fit at once. */
  get most(): number {
    return this.#inputs.most;
  }

  /** Makes the program for `count` items, unless it is there. */
  async prepare(count: number): Promise<Program<Tensor>> {
    let program = this.#programs.get(count);
    if (program === undefined) {
      const x = this.#inputs.x(count);
      program = await this.#maker.make(() => {
        this.#network.eval();
        return noGrad(() => this.#forward(x));
      });
      this.#programs.set(count, program);
    }
    return program;
  }

  /** Results of `count` items. */
  async run(count: number, x: Float32Array): Promise<Float32Array> {
    const program = await this.prepare(count);
    this.#inputs.write(x);
    return (await program.replay().toArray()) as Float32Array;
  }

  /** Frees the programs and the inputs. */
  dispose(): void {
    for (const program of this.#programs.values()) program.dispose();
    this.#programs.clear();
    this.#inputs.dispose();
  }
}
