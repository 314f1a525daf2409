/** Statistics of samples, seeded values, and axes of host arrays: what engines, reference and report share. */

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median of the pairs' ratios: sample i of one by sample i of the other, taken in the same round. */
export function pairwise(numerators, denominators) {
  const count = Math.min(numerators.length, denominators.length);
  return median(Array.from({ length: count }, (_, i) => numerators[i] / denominators[i]));
}

export const rounded = (value) => Number(value.toPrecision(6));

/** `count` values in [-1, 1), the same for every engine (a 32-bit mixing generator, Steele and Vigna's constants). */
export function uniform(count, seed) {
  const values = new Float32Array(count);
  let state = Math.imul(seed + 1, 0x9e3779b9) >>> 0;
  for (let i = 0; i < count; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    values[i] = ((t ^ (t >>> 14)) >>> 0) / 0x80000000 - 1;
  }
  return values;
}

export const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

/** Elements in another order of axes: axis k of the result is axis `axes[k]` of the source. */
export function transpose(data, shape, axes) {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const out = new Float32Array(data.length);
  const walk = (axis, from, to) => {
    if (axis === axes.length) {
      out[to] = data[from];
      return;
    }
    const inner = sizeOf(axes.slice(axis + 1).map((a) => shape[a]));
    const [count, stride] = [shape[axes[axis]], strides[axes[axis]]];
    for (let i = 0; i < count; i++) walk(axis + 1, from + i * stride, to + i * inner);
  };
  walk(0, 0, 0);
  return out;
}

/** Indices by axis of an element of `shape`. */
export function unravel(at, shape) {
  const place = new Array(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place[axis] = at % shape[axis];
    at = Math.floor(at / shape[axis]);
  }
  return place;
}
