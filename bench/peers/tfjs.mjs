/** TensorFlow.js with its WebGPU backend, on the same Dawn as Graft: Dawn's entry point is put where a browser has it. */
import { installDawn } from '../node/dawn.mjs';
import { readFloats, readJson } from '../node/readFiles.mjs';
import { kernelsOf } from './tfjsKernels.mjs';

export async function open(config) {
  const found = installDawn(config);
  const { default: tf } = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-layers'); // for the gradients it registers: the core's build for Node has none
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new Error('its WebGPU backend found no adapter');
  await tf.ready();
  const memory = () => {
    const { numBytesInGPU, numBytesAllocatedInGPU } = tf.memory();
    return { live: numBytesInGPU, allocated: numBytesAllocatedInGPU };
  };
  if (!config.model) return { adapter: found.adapter, openKernel: kernelsOf(tf), memory };
  const { openModel } = await import('./tfjsModel.mjs');
  const model = openModel(tf, config, { floats: (name) => readFloats(config.dir, name), json: (name) => readJson(config.dir, name) });
  return { adapter: found.adapter, ...model, first: { logits: await model.actions.forward() }, memory };
}
