/**
 * Memory for a captured function: temporaries whose lifetimes do not meet share a buffer.
 *
 * Whole buffers, not offsets into a few large ones: WebGPU looks at a buffer as a whole when it checks that nothing is
 * read and written in the same dispatch, so two operands of one kernel may not lie in one buffer, and it orders
 * dispatches by buffers, so neighbours would wait for each other. Assigning intervals of different sizes to shared
 * objects is the problem of Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020). Their
 * greedy methods, several orders of them, reach what whole buffers can reach at all (`sharedBound`) on ResNets;
 * the plan says how near it came.
 */
import { sizeClass } from './buffers';

/** When a temporary's contents matter, in indices of commands. */
export interface Lifetime {
  readonly bytes: number;
  /** Command that uses it first. */
  readonly first: number;
  /** Command that uses it last. */
  readonly last: number;
  /** Command before which the function gave its memory back; what it would take run eagerly follows from this. */
  readonly released: number;
}

export interface Plan {
  /** Sizes of the buffers to make. */
  readonly buffers: readonly number[];
  /** For each lifetime the index of its buffer. */
  readonly assignment: readonly number[];
  /** Sum of `buffers`. */
  readonly bytes: number;
  /** Most bytes that matter at one command: no plan of any kind can take less. */
  readonly lowerBound: number;
  /** The same for whole buffers: the k-th largest buffer holds the k-th largest that matters at any command. */
  readonly sharedBound: number;
  /** What the eager pool would hold after the same commands, from empty. */
  readonly pooledBytes: number;
}

interface Shared {
  bytes: number;
  readonly tenants: Lifetime[];
}

type Order = (a: Lifetime, b: Lifetime) => number;

const BY_START: Order = (a, b) => a.first - b.first;
/** Equal sizes are coloured in order of time, which is optimal among themselves. */
const BY_SIZE: Order = (a, b) => b.bytes - a.bytes || a.first - b.first;
const BY_SIZE_AND_DURATION: Order = (a, b) => b.bytes - a.bytes || b.last - b.first - (a.last - a.first) || a.first - b.first;

/** Plans memory for these lifetimes. No two that meet share a buffer; each buffer is as large as its largest tenant. */
export function planMemory(lifetimes: readonly Lifetime[]): Plan {
  const load = loads(lifetimes);
  /** The commands that need most memory first; there, the largest first. */
  const weight = new Map(lifetimes.map((lifetime) => [lifetime, peakWithin(load, lifetime)]));
  const byBreadth: Order = (a, b) => (weight.get(b) as number) - (weight.get(a) as number) || BY_SIZE(a, b);
  const plans = [...[BY_SIZE, BY_SIZE_AND_DURATION, byBreadth].map((order) => assign(lifetimes, order)), assignByClass(lifetimes)];
  const total = (shared: readonly Shared[]): number => shared.reduce((sum, { bytes }) => sum + bytes, 0);
  const best = plans.reduce((a, b) => (total(b.shared) < total(a.shared) ? b : a));
  return {
    buffers: best.shared.map(({ bytes }) => bytes),
    assignment: lifetimes.map((lifetime) => best.where.get(lifetime) as number),
    bytes: total(best.shared),
    lowerBound: Math.max(0, ...load),
    sharedBound: sharedBound(lifetimes, load.length),
    pooledBytes: pooledBytes(lifetimes),
  };
}

interface Assignment {
  readonly shared: Shared[];
  readonly where: Map<Lifetime, number>;
}

/** Shared within size classes only, as the eager pool does, so that a plan never takes more than that. */
function assignByClass(lifetimes: readonly Lifetime[]): Assignment {
  const shared: Shared[] = [];
  const where = new Map<Lifetime, number>();
  for (const size of new Set(lifetimes.map(({ bytes }) => sizeClass(bytes)))) {
    const part = assign(lifetimes.filter(({ bytes }) => sizeClass(bytes) === size), BY_START);
    for (const [lifetime, i] of part.where) where.set(lifetime, shared.length + i);
    shared.push(...part.shared);
  }
  return { shared, where };
}

function assign(lifetimes: readonly Lifetime[], order: Order): Assignment {
  const shared: Shared[] = [];
  const where = new Map<Lifetime, number>();
  for (const lifetime of [...lifetimes].sort(order)) {
    let best = -1;
    let bestCost = lifetime.bytes; // of a buffer of its own
    let bestGap = Infinity;
    for (const [i, { bytes, tenants }] of shared.entries()) {
      // What it adds to the buffer counts most, then how long the buffer would lie idle before or after it.
      const cost = Math.max(0, lifetime.bytes - bytes);
      if (cost > bestCost) continue;
      const gap = idle(tenants, lifetime);
      if (gap === undefined || (cost === bestCost && gap >= bestGap)) continue;
      best = i;
      bestCost = cost;
      bestGap = gap;
    }
    if (best === -1) best = shared.push({ bytes: 0, tenants: [] }) - 1;
    shared[best].tenants.push(lifetime);
    shared[best].bytes = Math.max(shared[best].bytes, lifetime.bytes);
    where.set(lifetime, best);
  }
  return { shared, where };
}

/** Commands between a lifetime and the nearest tenant; undefined when it meets one. */
function idle(tenants: readonly Lifetime[], { first, last }: Lifetime): number | undefined {
  let gap = Infinity;
  for (const tenant of tenants) {
    if (tenant.first <= last && first <= tenant.last) return undefined;
    gap = Math.min(gap, tenant.first > last ? tenant.first - last : first - tenant.last);
  }
  return gap;
}

/** Bytes that matter at each command. */
function loads(lifetimes: readonly Lifetime[]): number[] {
  const load = new Array<number>(lifetimes.reduce((end, { last }) => Math.max(end, last + 1), 0)).fill(0);
  for (const { bytes, first, last } of lifetimes) for (let i = first; i <= last; i++) load[i] += bytes;
  return load;
}

function sharedBound(lifetimes: readonly Lifetime[], commands: number): number {
  const live = Array.from({ length: commands }, (): number[] => []);
  for (const { bytes, first, last } of lifetimes) for (let i = first; i <= last; i++) live[i].push(bytes);
  const largest: number[] = [];
  for (const sizes of live) {
    sizes.sort((a, b) => b - a);
    sizes.forEach((bytes, k) => {
      largest[k] = Math.max(largest[k] ?? 0, bytes);
    });
  }
  return largest.reduce((a, b) => a + b, 0);
}

function peakWithin(load: readonly number[], { first, last }: Lifetime): number {
  let peak = 0;
  for (let i = first; i <= last; i++) peak = Math.max(peak, load[i]);
  return peak;
}

/** The pool keeps a buffer for each that was in use at once of a size class, and gives none back. */
export function pooledBytes(lifetimes: readonly Lifetime[]): number {
  const events = new Map<number, [at: number, change: 1 | -1][]>();
  for (const { bytes, first, released } of lifetimes) {
    const size = sizeClass(bytes);
    const list = events.get(size) ?? [];
    list.push([first, 1], [Math.max(released, first), -1]);
    events.set(size, list);
  }
  let total = 0;
  for (const [size, list] of events) {
    // What is released before a command is free for it.
    list.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let count = 0;
    let most = 0;
    for (const [, change] of list) most = Math.max(most, (count += change));
    total += size * most;
  }
  return total;
}
