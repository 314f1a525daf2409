/** What the engines read: the same seeded weights in each one's own format and layout, and the same images. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGraft } from '../engines/source.mjs';
import { transpose } from '../lib/numbers.mjs';
import { shapesOf } from '../lib/resnet.mjs';

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);

/** Writes them for the engines that will run, and returns the labels of the images. `formats`: of tfjs, jax, ort. */
export async function writeFiles(dir, { depth, batch, size, classes, seed, formats, from }) {
  const { seededInputs, seededStateDict, serializeSafetensors } = await loadGraft(from);
  const write = (name, content) => writeFileSync(join(dir, name), content);
  const state = seededStateDict(shapesOf(depth, classes), seed);
  const image = seededInputs([batch, 3, size, size], seed);
  write('resnet.safetensors', serializeSafetensors(state, { metadata: { format: 'pt' } }));
  write('image.nchw', bytesOf(image.data));
  write('image.nhwc', bytesOf(transpose(image.data, image.shape, [0, 2, 3, 1])));
  if (formats.includes('ort')) {
    const { resnetOnnx } = await import('../peers/onnx.mjs');
    write('resnet.onnx', resnetOnnx(depth, state, image.shape, classes));
  }
  const packed = (name, axesOf) => {
    const tensors = [...state].filter(([key]) => !key.endsWith('num_batches_tracked')).map(([key, { shape, data }]) => {
      const axes = axesOf(shape);
      return { key, shape: axes ? axes.map((axis) => shape[axis]) : shape, data: axes ? transpose(data, shape, axes) : data };
    });
    write(name, Buffer.concat(tensors.map(({ data }) => bytesOf(data))));
    write(`${name}.json`, JSON.stringify(tensors.map(({ key, shape }) => ({ name: key, shape, dtype: 'float32' }))));
  };
  if (formats.includes('tfjs')) packed('weights.tfjs', ({ length }) => ({ 4: [2, 3, 1, 0], 2: [1, 0] })[length]);
  if (formats.includes('jax')) packed('weights.jax', () => undefined);
  return Array.from({ length: batch }, (_, i) => (37 * i + 11) % classes);
}
