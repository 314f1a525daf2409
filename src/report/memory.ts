/** How a run was made to fit into memory, in words. */
import type { MemoryUse } from '../transfer/types';
import { bytes, counted } from './format';

/** `32`, `32 as 4 x 8`, `30 in parts of 8`. */
export function batchPhrase(batchSize: number, { microBatch }: MemoryUse): string {
  if (microBatch >= batchSize) return String(batchSize);
  return batchSize % microBatch === 0 ? `${batchSize} as ${batchSize / microBatch} x ${microBatch}` : `${batchSize} in parts of ${microBatch}`;
}

/** `batch 32 as 4 x 8 to stay within 512 MB, estimated 431 MB`; with `blocks recomputed` where they are. */
export function memoryPhrase(batchSize: number, memory: MemoryUse): string {
  const { recompute, budget, estimate } = memory;
  const again = recompute === true ? ', blocks recomputed,' : recompute === false || recompute.length === 0 ? '' : `, ${counted(recompute.length, 'part')} recomputed,`;
  const phrase = `batch ${batchPhrase(batchSize, memory)}${again}${budget === null ? '' : ` to stay within ${bytes(budget)}`}`;
  return `${phrase.replace(/,$/, '')}, estimated ${bytes(estimate)}`;
}
