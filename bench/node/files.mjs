/** What the engines read: the same seeded weights in each one's own format and layout, and the same images. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededInputs, seededStateDict, serializeSafetensors } from '../../dist/node.js';
import { resnet18Onnx } from './onnx.mjs';
import { CLASSES, shapes } from './resnet18.mjs';

/** Bytes of an F32 host tensor. */
const bytesOf = ({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** `axes[k]` is the source axis of the result's axis k. */
function transpose({ shape, data }, axes) {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const sizes = axes.map((axis) => shape[axis]);
  const out = new Float32Array(data.length);
  const walk = (axis, from, to) => {
    if (axis === axes.length) {
      out[to] = data[from];
      return;
    }
    const inner = sizes.slice(axis + 1).reduce((a, b) => a * b, 1);
    for (let i = 0; i < sizes[axis]; i++) walk(axis + 1, from + i * strides[axes[axis]], to + i * inner);
  };
  walk(0, 0, 0);
  return { shape: sizes, data: out };
}

/** Writes them for the engines that will run, and returns the labels of the images. */
export function writeFiles(dir, { batch, size, seed, engines }) {
  const write = (name, content) => writeFileSync(join(dir, name), content);
  const state = seededStateDict(shapes(), seed);
  const image = seededInputs([batch, 3, size, size], seed);
  write('resnet18.safetensors', serializeSafetensors(state, { metadata: { format: 'pt' } }));
  write('image.nchw', bytesOf(image));
  write('image.nhwc', bytesOf(transpose(image, [0, 2, 3, 1])));
  if (engines.includes('ort')) write('resnet18.onnx', resnet18Onnx(state, [batch, 3, size, size], CLASSES));
  if (engines.includes('tfjs')) {
    const weights = [...state].filter(([name]) => !name.endsWith('num_batches_tracked')).map(([name, tensor]) => {
      const axes = { 4: [2, 3, 1, 0], 2: [1, 0] }[tensor.shape.length];
      return [name, axes ? transpose(tensor, axes) : tensor];
    });
    write('weights.tfjs', Buffer.concat(weights.map(([, tensor]) => bytesOf(tensor))));
    write('weights.tfjs.json', JSON.stringify(weights.map(([name, { shape }]) => ({ name, shape, dtype: 'float32' }))));
  }
  return Array.from({ length: batch }, (_, i) => (37 * i + 11) % CLASSES);
}
