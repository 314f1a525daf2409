/** jax-js with its WebGPU backend, on the same Dawn as Graft. */
import { installDawn } from '../node/dawn.mjs';
import { readFloats, readJson } from '../node/readFiles.mjs';
import { kernelsOf } from './jaxKernels.mjs';

export async function open(config) {
  const found = installDawn(config);
  const jax = await import('@jax-js/jax');
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('its WebGPU backend found no adapter');
  jax.defaultDevice('webgpu');
  if (!config.model) return { adapter: found.adapter, openKernel: kernelsOf(jax) };
  const { openModel } = await import('./jaxModel.mjs');
  const model = openModel(jax, config, { floats: (name) => readFloats(config.dir, name), json: (name) => readJson(config.dir, name) });
  return { adapter: found.adapter, ...model, first: { logits: await model.actions.forward() } };
}
