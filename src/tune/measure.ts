/** Time of an algorithm, from timestamps on a GPU that has them, else from the wall clock. */
import type { Gpu } from '../gpu/gpu';

/** A sample takes at least this long, so that what surrounds it does not count. Milliseconds. */
const SAMPLE = 20;

/** Runs in a sample, at most: each is recorded, and recording takes memory. */
const MOST = 512;

/** Runs a sample is made of, for an algorithm that takes about `ms`. */
export function repeatsFor(ms: number): number {
  return Math.min(MOST, Math.max(1, Math.ceil(SAMPLE / Math.max(ms, 1e-6))));
}

/**
 * Milliseconds of one run, on average over `repeats`. The wall clock would measure, for short kernels on a GPU, how
 * fast JavaScript records them; on a CPU adapter recording is work on the same processor, and belongs to the time.
 */
export async function sample(gpu: Gpu, run: () => void, repeats: number): Promise<number> {
  const stamped = !gpu.adapter.software && gpu.device.features.has('timestamp-query');
  const record = (): void => {
    for (let i = 0; i < repeats; i++) gpu.scope(run, () => []);
  };
  await gpu.sync();
  const began = performance.now();
  let stampedMs = 0;
  if (stamped) {
    gpu.startProfile();
    try {
      record();
    } finally {
      stampedMs = (await gpu.stopProfile()).reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    }
  } else {
    record();
    await gpu.sync();
  }
  // Browsers round timestamps; what rounds to nothing was not measured.
  return (stampedMs || performance.now() - began) / repeats;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
