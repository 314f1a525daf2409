/**
 * Seeded random numbers. A generator is made from a list of integers, so a draw can depend on exactly what it should
 * (seed, epoch, image) and on nothing else, such as the order in which images happen to be decoded.
 *
 * The generator is sfc32 ("small fast counting", Chris Doty-Humphrey, PractRand): 128 bits of state, period of at
 * least 2^32 and 2^127 on average.
 */
import { UsageError } from './errors';

const words = new DataView(new ArrayBuffer(8));

/** A stream of random numbers that depends only on its seeds: `new Random(seed, epoch, index)`. */
export class Random {
  #a = 0x9e3779b9 | 0;
  #b = 0x243f6a88 | 0;
  #c = 0xb7e15162 | 0;
  #counter = 1;
  #spare: number | undefined;

  /** Any finite numbers. The order of the seeds counts, and so does how many there are. */
  constructor(...seeds: number[]) {
    for (const seed of seeds) {
      if (!Number.isFinite(seed)) throw new UsageError(`Random: a seed must be a finite number, got ${seed}`);
      words.setFloat64(0, seed + 0); // + 0 makes -0 the same seed as 0
      for (const word of [words.getInt32(0), words.getInt32(4)]) {
        this.#a ^= word;
        for (let round = 0; round < 12; round++) this.uint32();
      }
    }
    for (let round = 0; round < 12; round++) this.uint32();
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A number in [0, 1), a multiple of 2^-32. */
  next(): number {
    return this.uint32() / 0x100000000;
  }

  /** A number in [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** A whole number in [0, n), without bias. `n` is from 1 to 2^32. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 0x100000000) {
      throw new UsageError(`Random.int: n must be a whole number from 1 to 2^32, got ${n}`);
    }
    const limit = 0x100000000 - (0x100000000 % n);
    for (;;) {
      const value = this.uint32();
      if (value < limit) return value % n;
    }
  }

  /** A number of the standard normal distribution (Box-Muller). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.next())); // 1 - next() is never 0
    const angle = 2 * Math.PI * this.next();
    this.#spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/** The whole numbers 0 to n - 1 in an order that depends only on the seeds (Fisher-Yates). */
export function shuffle(n: number, ...seeds: number[]): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  const random = new Random(...seeds);
  for (let i = n - 1; i > 0; i--) {
    const j = random.int(i + 1);
    const kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
}
