/** The engines there are: their modules, what has to be installed for them, and how they are started. */
import { fileURLToPath } from 'node:url';
import { start } from './client.mjs';
import { missing } from './facts.mjs';

const path = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url));
const DAWN = ['webgpu'];
const TFJS = ['@tensorflow/tfjs-backend-webgpu', '@tensorflow/tfjs-core', '@tensorflow/tfjs-layers'];

export const REGISTRY = {
  graft: { kernels: 'engines/graftKernels.mjs', model: 'engines/graftModel.mjs', packages: DAWN },
  'graft-eager': { model: 'engines/graftModel.mjs', packages: DAWN, config: { eager: true } },
  'graft-unchecked': { kernels: 'engines/graftKernels.mjs', model: 'engines/graftModel.mjs', packages: DAWN, config: { unchecked: true } },
  ort: { kernels: 'peers/ort.mjs', model: 'peers/ort.mjs', packages: ['onnxruntime-node'] },
  tfjs: { kernels: 'peers/tfjs.mjs', model: 'peers/tfjs.mjs', packages: [...TFJS, ...DAWN] },
  jax: { kernels: 'peers/jax.mjs', model: 'peers/jax.mjs', packages: ['@jax-js/jax', ...DAWN] },
};

/** Of the wanted engines those that are installed and do such work; a note for each that is not installed. */
export function available(names, kind, notes) {
  return names.filter((name) => {
    const { [kind]: module, packages } = REGISTRY[name];
    if (!module) return false;
    const lacking = missing(packages);
    if (lacking.length > 0) notes.add(`left out: ${name}, for ${lacking.join(', ')} is not installed (${lacking.includes('webgpu') ? 'npm ci' : 'npm ci --prefix bench/peers --ignore-scripts'})`);
    return lacking.length === 0;
  });
}

/** Starts one. */
export function startEngine(name, kind, config) {
  const { [kind]: module, config: own } = REGISTRY[name];
  return start({ name, module: path(module) }, { ...config, ...own });
}
