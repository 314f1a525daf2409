/** The images of the head-tuning comparison: noise that differs by image, the same for every engine. */
import { uniform } from './numbers.mjs';

export function tuningImage(index, size) {
  return uniform(size * size * 3, 1000 + index);
}

/** Images named in `order`, one after the other. */
export function tuningBatch(order, size) {
  const length = size * size * 3;
  const batch = new Float32Array(order.length * length);
  order.forEach((index, i) => batch.set(tuningImage(index, size), i * length));
  return batch;
}
