/** Puts Dawn where a browser has WebGPU, for engines that look there, and notes the adapter they get. */
import { createRequire } from 'node:module';

export const UNCHECKED = 'enable-dawn-features=disable_robustness,skip_validation';

/** Returns an object whose `adapter` is filled in once the engine asked for one. */
export function installDawn({ unchecked }) {
  const { create, globals } = createRequire(import.meta.url)('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create(unchecked ? [UNCHECKED] : []);
  if (globalThis.navigator) Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu });
  else Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: '' } });
  const found = { adapter: null };
  const request = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const adapter = await request(options);
    if (adapter) found.adapter = { description: adapter.info.description, vendor: adapter.info.vendor, architecture: adapter.info.architecture };
    return adapter;
  };
  return found;
}
