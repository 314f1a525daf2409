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

export class Arena {
  readonly #pool: BufferPool;
  readonly #shelves: Shelf[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** A different buffer for each size, at least as large. Those of other leases are used first, the tightest that fits. */
  lease(sizes: readonly number[]): Lease {
    const taken = new Map<number, Shelf>();
    const free = [...this.#shelves].sort((a, b) => a.bytes - b.bytes);
    const order = sizes.map((_, i) => i).sort((a, b) => sizes[b] - sizes[a]);
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      for (const shelf of taken.values()) if (--shelf.users === 0) this.#drop(shelf);
    };
    try {
      for (const i of order) {
        const at = free.findIndex(({ bytes }) => bytes >= sizes[i]);
        const shelf = at === -1 ? this.#make(sizes[i]) : free.splice(at, 1)[0];
        shelf.users++;
        taken.set(i, shelf);
      }
    } catch (error) {
      release();
      throw error;
    }
    return { buffers: sizes.map((_, i) => (taken.get(i) as Shelf).buffer), release };
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
