/** Numbers for kernel tests: reproducible inputs, and comparison relative to the largest expected magnitude. */
import { expect } from 'vitest';

/** `count` values in [-1, 1), the same for the same seed. */
export function numbers(count: number, seed: number): Float32Array {
  let state = (seed * 0x9e3779b9) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Every value within `tolerance` of the largest finite expected magnitude; NaN and infinities in the same places. */
export function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) if (Number.isFinite(expected[i])) largest = Math.max(largest, Math.abs(expected[i]));
  const wrong: string[] = [];
  for (let i = 0; i < expected.length; i++) {
    const right = Number.isFinite(expected[i]) ? Math.abs(actual[i] - expected[i]) <= tolerance * largest : Object.is(actual[i], expected[i]);
    if (!right) wrong.push(`[${i}] is ${actual[i]}, not ${expected[i]}`);
  }
  expect(wrong.slice(0, 5), `${wrong.length} of ${expected.length} values`).toEqual([]);
}
