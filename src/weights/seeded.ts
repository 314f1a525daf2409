/**
 * Weights and inputs made by formula, `graft-seeded-1`, so that fixtures of full-size networks need not carry them.
 * `scripts/reference/seeded.py` computes the same bits: 32-bit integer arithmetic, then one multiplication and one
 * addition in binary64 and one rounding to binary32, all of which IEEE 754 fixes exactly.
 *
 * Element i of the tensor `name` is round32(offset + scale * u), where
 *   key = fnv1a(name as UTF-8) xor seed,   h = mix(mix(i) xor key),   u = floor(h / 256) / 2^23 - 1, in [-1, 1).
 */
import { UsageError } from '../errors';
import { f32, sizeOf } from '../hostTensor';
import type { HostTensor } from '../hostTensor';

/** The formula's name, as fixtures give it in `args.state.formula`. Another formula gets another name. */
export const SEEDED_FORMULA = 'graft-seeded-1';

/** Inputs of this scale have variance 1. */
const UNIT_VARIANCE = Math.fround(Math.sqrt(3));

/**
 * `count` values in [offset - scale, offset + scale).
 *
 * @param name  names the stream: other names give unrelated values.
 * @param seed  an integer in [0, 2^32).
 * @param scale rounded to f32 first; as is `offset` (default 0).
 * @throws UsageError when the seed is not such an integer.
 */
export function seededValues(name: string, count: number, seed: number, scale: number, offset = 0): Float32Array {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new UsageError(`seed must be an integer from 0 to 4294967295, not ${seed}`);
  }
  const key = fnv1a(name) ^ seed;
  const factor = Math.fround(scale);
  const shift = Math.fround(offset);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const u = (mix(mix(i) ^ key) >>> 8) / 8388608 - 1;
    values[i] = shift + factor * u;
  }
  return values;
}

/** Network inputs of the given shape: uniform, mean 0, variance 1, as normalised images roughly are. */
export function seededInputs(shape: readonly number[], seed: number): HostTensor {
  return f32([...shape], seededValues('inputs', sizeOf(shape), seed, UNIT_VARIANCE));
}

/**
 * A whole state dict from names and shapes (PyTorch's layout), scaled so that activations keep their size through 150
 * layers, with trained or with running statistics:
 *
 * - `*.num_batches_tracked`: 0, I64;
 * - `*.running_mean`: within 0.1 of 0; `*.running_var`: within 0.5 of 1;
 * - two dimensions (linear): within sqrt(1 / fan_in) of 0; more (convolution): within sqrt(6 / fan_in) of 0, fan_in
 *   being the product of all dimensions but the first (He initialisation; He et al., 2015);
 * - one dimension and named `*.weight` (a norm): within 0.5 of 1, but within 0.1 of 0.2 for the last norm of a
 *   residual block, which is `*.bn3`, or `*.bn2` where `shapes` has no `*.bn3` beside it;
 * - anything else (biases): within 0.1 of 0.
 *
 * @throws UsageError when the seed is not an integer in [0, 2^32).
 */
export function seededStateDict(shapes: ReadonlyMap<string, readonly number[]>, seed: number): Map<string, HostTensor> {
  const state = new Map<string, HostTensor>();
  for (const [name, shape] of shapes) {
    if (name.endsWith('num_batches_tracked')) {
      state.set(name, { dtype: 'I64', shape: [...shape], data: new BigInt64Array(sizeOf(shape)) });
      continue;
    }
    const { scale, offset } = range(name, shape, shapes);
    state.set(name, f32([...shape], seededValues(name, sizeOf(shape), seed, scale, offset)));
  }
  return state;
}

interface Range {
  scale: number;
  offset: number;
}

function range(name: string, shape: readonly number[], shapes: ReadonlyMap<string, readonly number[]>): Range {
  if (name.endsWith('running_mean')) return { scale: 0.1, offset: 0 };
  if (name.endsWith('running_var')) return { scale: 0.5, offset: 1 };
  if (shape.length >= 2) {
    const fanIn = Math.max(1, sizeOf(shape.slice(1)));
    return { scale: Math.sqrt((shape.length === 2 ? 1 : 6) / fanIn), offset: 0 };
  }
  if (shape.length === 1 && name.endsWith('weight')) {
    const isLast = name.endsWith('bn3.weight')
      || (name.endsWith('bn2.weight') && !shapes.has(name.replace(/bn2\.weight$/, 'bn3.weight')));
    return isLast ? { scale: 0.1, offset: 0.2 } : { scale: 0.5, offset: 1 };
  }
  return { scale: 0.1, offset: 0 };
}

/** FNV-1a, 32 bits, over the UTF-8 bytes of `text` (Fowler, Noll, Vo). */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** A bijection of the 32-bit integers that spreads every input bit (multiply and xor-shift, after Wellons' search). */
function mix(value: number): number {
  let x = value;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}
