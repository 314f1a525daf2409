/** Writes what the engines read. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGraft } from '../engines/source.mjs';
import { channelsLast, labelsOf, onnxOf, packed, seededModel } from '../lib/modelFiles.mjs';

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);

/** For the engines that will run; returns the labels of the images. `formats`: of tfjs, jax, ort. */
export async function writeFiles(dir, { formats, from, ...model }) {
  const graft = await loadGraft(from);
  const write = (name, content) => writeFileSync(join(dir, name), content);
  const made = seededModel(graft, model);
  write('resnet.safetensors', graft.serializeSafetensors(made.state, { metadata: { format: 'pt' } }));
  write('image.nchw', bytesOf(made.image.data));
  write('image.nhwc', bytesOf(channelsLast(made.image)));
  if (formats.includes('ort')) write('resnet.onnx', onnxOf(made, model));
  for (const engine of ['tfjs', 'jax'].filter((name) => formats.includes(name))) {
    const { values, list } = packed(made, engine);
    write(`weights.${engine}`, bytesOf(values));
    write(`weights.${engine}.json`, JSON.stringify(list));
  }
  return labelsOf(model);
}
