/** The measure of docs/fixtures.md: what was computed against what a fixture holds. */
import { WeightsError, formatShape } from '../errors';
import type { HostTensor } from '../hostTensor';
import type { Check } from './verdict';

/** |want| counts as at least this. */
const FLOOR = 1e-6;

export interface Place {
  /** Multiplies flat indices before they are named: for samples of a larger tensor. Default 1. */
  readonly stride?: number;
  /** The shape that indices are named in. Default: the tensor's own. */
  readonly shape?: readonly number[];
}

/**
 * Compares within a bound. NaN and infinities must stand where they stand in `want`.
 * @throws WeightsError when the shapes differ: the fixture does not belong to this computation.
 */
export function compare(tensor: string, got: HostTensor, want: HostTensor, bound: number, place: Place = {}): Check {
  checkShapes(tensor, got, want);
  let largest = 0;
  let difference = 0;
  let worst = 0;
  let misplaced = -1;
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [Number(got.data[i]), Number(want.data[i])];
    if (Number.isFinite(a) && Number.isFinite(b)) {
      largest = Math.max(largest, Math.abs(b));
      if (Math.abs(a - b) > difference) {
        difference = Math.abs(a - b);
        worst = i;
      }
    } else if (!Object.is(a, b) && misplaced < 0) misplaced = i;
  }
  const error = misplaced < 0 ? difference / Math.max(largest, FLOOR) : Infinity;
  return describe(tensor, got, want, misplaced < 0 ? worst : misplaced, error, bound, error <= bound, place);
}

/** Compares bit by bit. The error is still the measure's, and may be 0 where -0 has become 0. */
export function compareBits(tensor: string, got: HostTensor, want: HostTensor): Check {
  checkShapes(tensor, got, want);
  const [a, b] = [bytesOf(got), bytesOf(want)];
  if (a.length !== b.length) throw new WeightsError(`${tensor}: is ${want.dtype}, but ${got.dtype} was computed`);
  const at = a.findIndex((byte, i) => byte !== b[i]);
  if (at < 0) return describe(tensor, got, want, 0, 0, 0, true, {});
  const { error } = compare(tensor, got, want, 0);
  return describe(tensor, got, want, Math.floor(at / got.data.BYTES_PER_ELEMENT), error, 0, false, {});
}

function bytesOf({ data }: HostTensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function checkShapes(tensor: string, got: HostTensor, want: HostTensor): void {
  if (formatShape(got.shape) !== formatShape(want.shape)) {
    throw new WeightsError(`the fixture's ${tensor} is ${formatShape(want.shape)}, but its arguments give ${formatShape(got.shape)}`);
  }
}

function describe(
  tensor: string, got: HostTensor, want: HostTensor, flat: number, error: number, bound: number, pass: boolean,
  { stride = 1, shape = want.shape }: Place,
): Check {
  const [a, b] = [got, want].map(({ data }) => Number(data[flat] ?? 0));
  return { tensor, pass, error, bound, index: indexOf(flat * stride, shape), got: a, want: b };
}

/** Row-major position to one index an axis. */
function indexOf(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index.unshift(rest % Math.max(1, shape[axis]));
    rest = Math.floor(rest / Math.max(1, shape[axis]));
  }
  return index;
}
