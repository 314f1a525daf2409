/**
 * Every error Graft throws on purpose. A message names the operation, the rule and the actual values, and what to do;
 * it is one line, fit for a terminal. `hint`, where there is one, is the "what to do" part and is already in `message`.
 */
export class GraftError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Shapes, ranks, sizes or axes that do not fit an operation. */
export class ShapeError extends GraftError {}

/** An element type that an operation or a file format does not take. */
export class DtypeError extends GraftError {}

/** A state dict whose names or shapes do not match the module. */
export class StateDictError extends GraftError {}

/** A weights file (or other file of tensors) that is missing, damaged, hostile or of another format. */
export class WeightsError extends GraftError {}

/** Images, folders or labels that cannot be used. */
export class DataError extends GraftError {}

/** No adapter, a limit it lacks, or an error WebGPU itself reported. */
export class DeviceError extends GraftError {}

/** The device is gone (a driver reset, a crashed GPU process, `device.destroy()`), and all memory on it: open a new one. */
export class DeviceLostError extends DeviceError {}

/** There was no memory on the device, or more was asked for at once than it can give: less at a time may do. */
export class OutOfMemoryError extends DeviceError {}

/** An option or argument that is unknown or out of range. */
export class UsageError extends GraftError {}

/** Training that cannot go on (a loss that is NaN, for one). */
export class TrainingError extends GraftError {}

/** A longer one is no shape but an array passed for one, whose values nobody wants to read. */
const MOST_SHOWN = 8;

/** Shape as it is written in messages: `[8, 32, 56, 56]`. */
export function formatShape(shape: readonly number[]): string {
  const shown = shape.slice(0, MOST_SHOWN).join(', ');
  return shape.length > MOST_SHOWN ? `[${shown}, ... ${shape.length} dimensions]` : `[${shown}]`;
}

/**
 * Of `candidates`, the one nearest to `word` by edit distance, when near enough to be what was meant.
 * Used for "unknown model 'resnet81'. Did you mean 'resnet18'?".
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean 'x'?` or, when nothing is near, ` Known: a, b, c.` */
export function suggest(word: string, candidates: Iterable<string>): string {
  const known = [...candidates];
  const hit = nearest(word, known);
  return hit === undefined ? ` Known: ${known.join(', ')}.` : ` Did you mean '${hit}'?`;
}

/** Edit distance with transpositions of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(substitution, previous[j] + 1, current[j - 1] + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        current[j] = Math.min(current[j], before[j - 2] + 1);
      }
    }
    before = previous;
    previous = current;
  }
  return previous[b.length];
}
