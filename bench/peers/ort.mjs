/** onnxruntime-node, which cannot be asked to leave results on the device. */
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { readFloats } from '../node/readFiles.mjs';
import { kernelsOf, openModel } from './ortEngine.mjs';

export function open(config) {
  if (!config.model) return { openKernel: kernelsOf(ort) };
  return openModel(ort, config, { file: join(config.dir, 'resnet.onnx'), pixels: readFloats(config.dir, 'image.nchw') });
}
