/** What the engines read of a model: the same seeded weights in each one's own format and layout, and the same images. */
import { resnetOnnx } from './onnx.mjs';
import { transpose } from './numbers.mjs';
import { shapesOf } from './resnet.mjs';

/** `graft`: the public API, which has the formula of the weights. */
export function seededModel({ seededInputs, seededStateDict }, { depth, batch, size, classes, seed }) {
  return { state: seededStateDict(shapesOf(depth, classes), seed), image: seededInputs([batch, 3, size, size], seed) };
}

export const channelsLast = (image) => transpose(image.data, image.shape, [0, 2, 3, 1]);
export const onnxOf = ({ state, image }, { depth, classes }) => resnetOnnx(depth, state, image.shape, classes);

/** Of tfjs and jax-js: one array of all values, and a list of what is in it. */
export function packed({ state }, engine) {
  const axesOf = ({ length }) => (engine === 'tfjs' ? { 4: [2, 3, 1, 0], 2: [1, 0] }[length] : undefined);
  const tensors = [...state].filter(([name]) => !name.endsWith('num_batches_tracked')).map(([name, { shape, data }]) => {
    const axes = axesOf(shape);
    return { name, shape: axes ? axes.map((axis) => shape[axis]) : shape, data: axes ? transpose(data, shape, axes) : data };
  });
  const values = new Float32Array(tensors.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of tensors) {
    values.set(data, at);
    at += data.length;
  }
  return { values, list: tensors.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) };
}

export const labelsOf = ({ batch, classes }) => Array.from({ length: batch }, (_, i) => (37 * i + 11) % classes);
