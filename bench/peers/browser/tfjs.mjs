/** TensorFlow.js in a worker, with its WebGPU backend. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // for the gradients it registers
import '@tensorflow/tfjs-backend-webgpu';
import { filesOf } from '../../browser/files.mjs';
import { serve } from '../../browser/serve.mjs';
import { kernelsOf } from '../tfjsKernels.mjs';
import { openModel } from '../tfjsModel.mjs';

async function begin() {
  if (!(await tf.setBackend('webgpu'))) throw new Error('its WebGPU backend found no adapter');
  await tf.ready();
  return () => {
    const { numBytesInGPU, numBytesAllocatedInGPU } = tf.memory();
    return { live: numBytesInGPU, allocated: numBytesAllocatedInGPU };
  };
}

serve({
  async kernels() {
    const memory = await begin();
    return { openKernel: kernelsOf(tf), memory };
  },
  async model(config) {
    const memory = await begin();
    const model = openModel(tf, config, filesOf(config));
    return { ...model, first: { logits: await model.actions.forward() }, memory };
  },
});
