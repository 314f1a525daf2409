/** What there is to tune: the products and convolutions that some work consists of, one for each class of shapes. */
import type { Gpu } from '../gpu/gpu';
import type { Family } from '../kernels/products/family';
import type { Tensor } from '../tensor';

/** A family whose shapes and operands are not told apart: the tuner hands back what the family itself made. */
export type AnyFamily = Family<unknown, { readonly out: Tensor }>;

export interface Problem {
  /** Family and class: what the choice is kept under. */
  readonly key: string;
  readonly family: AnyFamily;
  /** The largest shape of the class that was seen. */
  readonly shape: unknown;
  /** How often the class was seen. */
  readonly count: number;
}

/** Runs `work`, and lists the distinct problems launched in it, also in a dry run. The most arithmetic comes first. */
export function observeProblems(gpu: Gpu, work: () => void): Problem[] {
  const found = new Map<string, Problem>();
  for (const { family, shape } of gpu.choices.observe(work)) {
    const problem = problemOf(family as AnyFamily, shape);
    const known = found.get(problem.key);
    const larger = known === undefined || problem.family.operations(shape) > known.family.operations(known.shape) ? problem : known;
    found.set(problem.key, { ...larger, count: (known?.count ?? 0) + 1 });
  }
  return byWork([...found.values()]);
}

/** Multiplications and additions that `work` asks for, by the plain methods, also in a dry run. */
export function countOperations(gpu: Gpu, work: () => void): number {
  const launched = gpu.choices.observe(work).filter(({ inner }) => !inner);
  return launched.reduce((sum, { family, shape }) => sum + (family as AnyFamily).operations(shape), 0);
}

/** One list of several, each class once. */
export function mergeProblems(lists: readonly (readonly Problem[])[]): Problem[] {
  const merged = new Map<string, Problem>();
  for (const problem of lists.flat()) {
    const known = merged.get(problem.key);
    merged.set(problem.key, known ? { ...known, count: known.count + problem.count } : problem);
  }
  return byWork([...merged.values()]);
}

/** The problem of a family and a shape. */
export function problemOf<S, O extends { readonly out: Tensor }>(family: Family<S, O>, shape: S): Problem {
  return { key: `${family.name} ${family.classOf(shape)}`, family: family as unknown as AnyFamily, shape, count: 1 };
}

function byWork(problems: Problem[]): Problem[] {
  const work = ({ family, shape, count }: Problem): number => count * family.operations(shape);
  return problems.sort((a, b) => work(b) - work(a));
}
