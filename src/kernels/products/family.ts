/**
 * A family of kernels: one operation with several algorithms, each with tilings of its own. Which is fastest depends on
 * the adapter and the shape, so it is chosen by a rule of thumb, and by measurement where someone tuned (src/tune).
 */
import type { Gpu } from '../../gpu/gpu';
import type { Tensor } from '../../tensor';

/** One way to compute problems of a family, made for one exact shape. */
export interface Candidate<O> {
  /** Unique in its family and stable between versions, for it is what the tuner remembers: 'registers l8 v4 c2 r16'. */
  readonly id: string;
  /** Records the dispatches that compute `operands.out`. Allocates its temporaries and disposes them. */
  run(operands: O): void;
}

/** `S` is plain data; two problems of equal shapes are the same problem. */
export interface Family<S, O extends { readonly out: Tensor }> {
  readonly name: string;
  /** All that the shape and the adapter's features and limits allow, the best guess first. Never empty. */
  candidates(gpu: Gpu, shape: S): readonly Candidate<O>[];
  /** Problems of one class get the same algorithm from the tuner. */
  classOf(shape: S): string;
  /** Operands to tune and test with; `random(count)` gives values in [-1, 1]. The caller disposes of them. */
  operands(gpu: Gpu, shape: S, random: (count: number) => Float32Array): O;
  /** Multiplications and additions of the plain method. */
  operations(shape: S): number;
}

/** Computes a problem with the algorithm that this adapter prefers. */
export function launch<S, O extends { readonly out: Tensor }>(family: Family<S, O>, gpu: Gpu, shape: S, operands: O): void {
  const problem = `${family.name} ${JSON.stringify(shape)}`;
  const offer = (): readonly Candidate<O>[] => family.candidates(gpu, shape);
  gpu.choices.launching(family, shape, () => gpu.choices.pick(problem, () => `${family.name} ${family.classOf(shape)}`, offer).run(operands));
}
