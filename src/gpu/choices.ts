/**
 * Which algorithm computes a problem on this device: the first its family offers, unless a table (shipped or tuned) or a
 * test says otherwise. Kernels ask through `launch` (src/kernels/products/family.ts).
 */

/** What the choice is made among. Ids are unique within a family and stable between versions. */
export interface Choosable {
  readonly id: string;
}

export class Choices {
  readonly #table = new Map<string, string>();
  readonly #made = new Map<string, Choosable>();
  #forced: ((id: string) => boolean) | undefined;
  #observer: ((family: unknown, shape: unknown) => void) | undefined;

  /** The candidate id for each problem class, keyed `family class`. */
  get table(): ReadonlyMap<string, string> {
    return this.#table;
  }

  /** Adds entries, over those of the same class. An id that a family no longer offers does no harm: its first is taken. */
  adopt(entries: Iterable<readonly [string, string]>): void {
    for (const [problemClass, id] of entries) this.#table.set(problemClass, id);
    this.#made.clear();
  }

  /** Forgets every entry. */
  clear(): void {
    this.#table.clear();
    this.#made.clear();
  }

  /** Prefers candidates for which `wanted` is true, wherever one is offered; undefined ends it. For tests and the tuner. */
  force(wanted: ((id: string) => boolean) | undefined): void {
    this.#forced = wanted;
    this.#made.clear();
  }

  /** Runs `fn` and returns what was launched in it, in order and with repeats, also in a dry run (`Gpu.precompile`). */
  observe(fn: () => void): { readonly family: unknown; readonly shape: unknown }[] {
    const before = this.#observer;
    const seen: { family: unknown; shape: unknown }[] = [];
    this.#observer = (family, shape) => seen.push({ family, shape });
    try {
      fn();
    } finally {
      this.#observer = before;
    }
    return seen;
  }

  /** Tells the observer, if any, of a launch. */
  note(family: unknown, shape: unknown): void {
    this.#observer?.(family, shape);
  }

  /** The candidate for a problem. `problem` names it exactly; `offer` and `problemClass` are asked the first time only. */
  pick<C extends Choosable>(problem: string, problemClass: () => string, offer: () => readonly C[]): C {
    let chosen = this.#made.get(problem) as C | undefined;
    if (chosen === undefined) {
      const candidates = offer();
      const { [0]: first } = candidates;
      if (first === undefined) throw new Error(`no algorithm computes ${problem}`);
      const forced = this.#forced && candidates.find(({ id }) => this.#forced?.(id));
      const tuned = this.#table.get(problemClass());
      chosen = forced ?? candidates.find(({ id }) => id === tuned) ?? first;
      this.#made.set(problem, chosen);
    }
    return chosen;
  }
}
