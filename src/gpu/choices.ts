/**
 * Which algorithm computes a problem on this device: the first its family offers, unless a table (shipped or tuned) or a
 * test says otherwise. Kernels ask through `launch` (src/kernels/products/family.ts).
 */

/** What the choice is made among. Ids are unique within a family and stable between versions. */
export interface Choosable {
  readonly id: string;
}

/** A problem that was computed. */
export interface Launched {
  readonly family: unknown;
  readonly shape: unknown;
  /** It is a part of another one's algorithm: a convolution may be made of products. */
  readonly inner: boolean;
}

export class Choices {
  readonly #table = new Map<string, string>();
  readonly #made = new Map<string, Choosable>();
  #forced: ((id: string) => boolean) | undefined;
  #observer: ((launched: Launched) => void) | undefined;
  /** Launches that are going on. */
  #depth = 0;

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

  /** Runs `fn` and returns what was launched in it, in order and with repeats, also in a dry run (`Gpu.rehearse`). */
  observe(fn: () => void): Launched[] {
    const before = this.#observer;
    const seen: Launched[] = [];
    this.#observer = (launched) => seen.push(launched);
    try {
      fn();
    } finally {
      this.#observer = before;
    }
    return seen;
  }

  /** Runs `launch`, which computes a problem, and tells the observer, if any. */
  launching(family: unknown, shape: unknown, launch: () => void): void {
    this.#observer?.({ family, shape, inner: this.#depth > 0 });
    this.#depth++;
    try {
      launch();
    } finally {
      this.#depth--;
    }
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
