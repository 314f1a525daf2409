/** Whether an algorithm computes what it should: all elements against another's, and samples against the definition. */
import type { Gpu } from '../gpu/gpu';
import type { Random } from '../random';
import { Tensor } from '../tensor';
import { exactOf, type Exact, type HostOperands } from './exact';
import type { Problem } from './problems';

export interface Operands {
  readonly out: Tensor;
}

/** Elements of the output that are computed in double precision. */
const SAMPLES = 64;

/**
 * Allowed error, relative to an element's magnitude and to what sums of this depth typically come to. Sums are f32 always;
 * f16 is how the result is written.
 */
const TOLERANCE = { f32: 2e-5, f16: 1e-3, i32: 0 } as const;

export class Check {
  readonly #operands: Operands;
  readonly #exact: Exact;
  readonly #samples: readonly number[];
  /** Typical magnitude of a sum: operands are uniform in [-1, 1], so sums of `depth` products grow with its root. */
  readonly #scale: number;
  readonly #unwritten: Float32Array;
  readonly #tolerance: number;
  /** An output whose samples are right, and whose it is. */
  #reference: { readonly id: string; readonly values: Float32Array } | undefined;

  private constructor(operands: Operands, exact: Exact, scale: number, samples: readonly number[]) {
    this.#operands = operands;
    this.#exact = exact;
    this.#scale = scale;
    this.#samples = samples;
    this.#unwritten = new Float32Array(operands.out.size).fill(NaN);
    this.#tolerance = TOLERANCE[operands.out.dtype];
  }

  /** Undefined for a family without a definition: its candidates cannot be checked. */
  static async of({ family, shape }: Problem, operands: Operands, random: Random): Promise<Check | undefined> {
    const host: Record<string, Float32Array> = {};
    for (const [name, tensor] of Object.entries(operands) as [string, unknown][]) {
      if (name !== 'out' && tensor instanceof Tensor) host[name] = (await tensor.toArray()) as Float32Array;
    }
    const { size } = operands.out;
    const exact = exactOf(family.name, shape, host satisfies HostOperands);
    if (exact === undefined) return undefined;
    const drawn = Array.from({ length: Math.min(SAMPLES, size) }, () => random.int(size));
    const depth = Math.max(1, family.operations(shape) / 2 / size);
    return new Check(operands, exact, Math.sqrt(depth), [...new Set([0, size - 1, ...drawn])]);
  }

  /**
   * Runs an algorithm once and compares all it wrote. Undefined when that is right, else what is wrong.
   * `replaced` names an algorithm that passed before and that this one shows to be wrong. `ms` is what the run took.
   */
  async of(gpu: Gpu, id: string, run: () => void): Promise<{ readonly ms: number; readonly wrong?: string; readonly replaced?: string }> {
    const { out } = this.#operands;
    out.write(this.#unwritten);
    await gpu.sync();
    const began = performance.now();
    run();
    await gpu.sync();
    const ms = performance.now() - began;
    const values = (await out.toArray()) as Float32Array;
    for (const index of this.#samples) {
      const wrong = this.#wrongAt(values, index);
      if (wrong) return { ms, wrong };
    }
    const reference = this.#reference;
    if (reference === undefined) {
      this.#reference = { id, values };
      return { ms };
    }
    const index = this.#firstDifference(values, reference.values);
    if (index < 0) return { ms };
    // Two disagree where neither was sampled: the definition says which is wrong.
    const wrong = this.#wrongAt(values, index);
    if (wrong) return { ms, wrong };
    if (this.#wrongAt(reference.values, index) === undefined) return { ms };
    this.#reference = { id, values };
    return { ms, replaced: reference.id };
  }

  #wrongAt(values: Float32Array, index: number): string | undefined {
    const [got, want] = [values[index], this.#exact(index)];
    // Written so that NaN is wrong.
    return Math.abs(got - want) <= this.#bound(want) ? undefined : `element ${index} is ${got}, not ${want}`;
  }

  #bound(value: number): number {
    return this.#tolerance * (this.#scale + Math.abs(value));
  }

  #firstDifference(values: Float32Array, reference: Float32Array): number {
    for (let i = 0; i < values.length; i++) {
      if (!(Math.abs(values[i] - reference[i]) <= this.#bound(reference[i]))) return i;
    }
    return -1;
  }
}
