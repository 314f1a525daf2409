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

/**
 * Forward passes in evaluation mode: one program, that takes up to `most` items. Fewer leave its last rows to what was
 * there before, whose results are dropped: in this mode no item's result depends on another's.
 */
export class Passes {
  readonly most: number;
  readonly #inputs: Inputs;
  readonly #program: Program<Tensor>;

  private constructor(inputs: Inputs, most: number, program: Program<Tensor>) {
    this.#inputs = inputs;
    this.most = most;
    this.#program = program;
  }

  /** Takes over `inputs`. */
  static async make(maker: Maker, network: ResNet, inputs: Inputs, most: number, forward: (x: Tensor) => Tensor): Promise<Passes> {
    const x = inputs.x(most);
    const program = await maker.make(() => {
      network.eval();
      return noGrad(() => forward(x));
    });
    return new Passes(inputs, most, program);
  }

  /** Results of `count` items, one after the other. */
  async run(count: number, x: Float32Array): Promise<Float32Array> {
    this.#inputs.write(x);
    const results = (await this.#program.replay().toArray()) as Float32Array;
    return results.subarray(0, (results.length / this.most) * count);
  }

  /** Frees the program and the inputs. */
  dispose(): void {
    this.#program.dispose();
    this.#inputs.dispose();
  }
}
