/** jax-js in a worker, with its WebGPU backend. */
import * as jax from '@jax-js/jax';
import { filesOf } from '../../browser/files.mjs';
import { serve } from '../../browser/serve.mjs';
import { kernelsOf } from '../jaxKernels.mjs';
import { openModel } from '../jaxModel.mjs';

async function begin() {
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('its WebGPU backend found no adapter');
  jax.defaultDevice('webgpu');
}

serve({
  async kernels() {
    await begin();
    return { openKernel: kernelsOf(jax) };
  },
  async model(config) {
    await begin();
    const model = openModel(jax, config, filesOf(config));
    return { ...model, first: { logits: await model.actions.forward() } };
  },
});
