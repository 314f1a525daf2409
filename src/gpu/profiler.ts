/** Time by kernel, from timestamp queries: each dispatch gets a pass of its own, so a profiled step is somewhat slower. */

export interface KernelTime {
  readonly kernel: string;
  readonly calls: number;
  readonly milliseconds: number;
}

const CAPACITY = 2048;

export class Profiler {
  readonly #device: GPUDevice;
  readonly #querySet: GPUQuerySet;
  readonly #resolve: GPUBuffer;
  #labels: string[] = [];
  readonly #totals = new Map<string, { calls: number; nanoseconds: number }>();
  readonly #pending: Promise<void>[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#querySet = device.createQuerySet({ type: 'timestamp', count: 2 * CAPACITY });
    this.#resolve = device.createBuffer({ size: 16 * CAPACITY, usage: 0x200 | 0x04 }); // QUERY_RESOLVE | COPY_SRC
  }

  /** True when no more dispatches fit before the next `resolve`. */
  get full(): boolean {
    return this.#labels.length >= CAPACITY;
  }

  timestampWrites(label: string): GPUComputePassTimestampWrites {
    const i = this.#labels.push(label) - 1;
    return { querySet: this.#querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
  }

  /** Ends a batch of dispatches: records the copy of its timestamps; call `collect` after the submit. */
  resolve(encoder: GPUCommandEncoder): () => void {
    const labels = this.#labels;
    this.#labels = [];
    if (labels.length === 0) return () => undefined;
    const bytes = 16 * labels.length;
    const staging = this.#device.createBuffer({ size: bytes, usage: 0x01 | 0x08 }); // MAP_READ | COPY_DST
    encoder.resolveQuerySet(this.#querySet, 0, 2 * labels.length, this.#resolve, 0);
    encoder.copyBufferToBuffer(this.#resolve, 0, staging, 0, bytes);
    return () => {
      const read = staging.mapAsync(1).then(() => {
        const times = new BigUint64Array(staging.getMappedRange());
        labels.forEach((label, i) => {
          const total = this.#totals.get(label) ?? { calls: 0, nanoseconds: 0 };
          total.calls++;
          total.nanoseconds += Number(times[2 * i + 1] - times[2 * i]);
          this.#totals.set(label, total);
        });
        staging.destroy();
      });
      read.catch(() => undefined); // told by `finish`, which a lost device's profile never sees
      this.#pending.push(read);
    };
  }

  /** Totals, slowest first. Frees what the profiler held. */
  async finish(): Promise<KernelTime[]> {
    await Promise.all(this.#pending.splice(0));
    this.#querySet.destroy();
    this.#resolve.destroy();
    return [...this.#totals]
      .map(([kernel, { calls, nanoseconds }]) => ({ kernel, calls, milliseconds: nanoseconds / 1e6 }))
      .sort((a, b) => b.milliseconds - a.milliseconds);
  }
}

/** The report as a table for the terminal. */
export function formatProfile(times: readonly KernelTime[]): string {
  const total = times.reduce((sum, t) => sum + t.milliseconds, 0);
  const width = Math.max(6, ...times.map((t) => t.kernel.length));
  const rows = times.map(
    (t) =>
      `${t.kernel.padEnd(width)} ${String(t.calls).padStart(6)} ${t.milliseconds.toFixed(2).padStart(10)} ${((100 * t.milliseconds) / total).toFixed(1).padStart(6)}%`,
  );
  return [`${'kernel'.padEnd(width)} ${'calls'.padStart(6)} ${'ms'.padStart(10)} ${'share'.padStart(7)}`, ...rows].join('\n');
}
