/**
 * Buffers for the temporaries of captured functions. What a temporary holds means nothing after its replay, and replays
 * run one after another, so captures share: a second one pays only for what is larger than the first one's.
 */
import type { BufferPool } from './buffers';

interface Shelf {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  users: number;
}

/** Buffers that a capture holds; `buffers` in the order they were asked for. */
export interface Lease {
  readonly buffers: readonly GPUBuffer[];
  release(): void;
}

/**
 * Which buffers a lease of these sizes takes: indices into `shelves`, whose sizes are given; one that is not there yet has
 * the next index, and `added` lists the sizes of those. The tightest that fits is taken first, the largest size first.
 */
export function fitOnto(shelves: readonly number[], sizes: readonly number[]): { readonly taken: readonly number[]; readonly added: readonly number[] } {
  const free = shelves.map((_, shelf) => shelf).sort((a, b) => shelves[a] - shelves[b]);
  const taken: number[] = [];
  const added: number[] = [];
  for (const i of sizes.map((_, index) => index).sort((a, b) => sizes[b] - sizes[a])) {
    const at = free.findIndex((shelf) => shelves[shelf] >= sizes[i]);
    taken[i] = at === -1 ? shelves.length + added.push(sizes[i]) - 1 : free.splice(at, 1)[0];
  }
  return { taken, added };
}

export class Arena {
  readonly #pool: BufferPool;
  readonly #shelves: Shelf[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** A different buffer for each size, at least as large. Those of other leases are used first, the tightest that fits. */
  lease(sizes: readonly number[]): Lease {
    const { taken, added } = fitOnto(this.#shelves.map(({ bytes }) => bytes), sizes);
    const shelves = [...this.#shelves];
    try {
      for (const bytes of added) shelves.push(this.#make(bytes));
    } catch (error) {
      for (const shelf of shelves) if (shelf.users === 0) this.#drop(shelf);
      throw error;
    }
    let held = taken.map((shelf) => shelves[shelf]);
    for (const shelf of held) shelf.users++;
    const buffers = held.map(({ buffer }) => buffer);
    const release = (): void => {
      for (const shelf of held) if (--shelf.users === 0) this.#drop(shelf);
      held = [];
    };
    return { buffers, release };
  }

  #make(bytes: number): Shelf {
    const shelf = { buffer: this.#pool.reserve(bytes), bytes, users: 0 };
    this.#shelves.push(shelf);
    return shelf;
  }

  #drop(shelf: Shelf): void {
    this.#shelves.splice(this.#shelves.indexOf(shelf), 1);
    this.#pool.unreserve(shelf.buffer, shelf.bytes);
  }
}
