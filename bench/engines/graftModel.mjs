/** A ResNet on Graft, in a process of its own, from a file. */
import { join } from 'node:path';
import { openModel } from '../lib/graftModel.mjs';
import { UNCHECKED } from '../node/dawn.mjs';
import { readFloats } from '../node/readFiles.mjs';
import { loadGraft } from './source.mjs';

export async function open(config) {
  const { dir, unchecked, from } = config;
  const api = await loadGraft(from);
  const phases = { imports: performance.now() };
  const gpu = await api.openGpu(unchecked ? { dawnOptions: [UNCHECKED] } : {});
  phases.device = performance.now();
  const weights = join(dir, 'resnet.safetensors');
  return openModel(api, gpu, config, {
    load: async () => (await api.load(weights, { gpu })).network,
    async state() {
      const source = await api.openFile(weights);
      const state = await api.readAll(await api.openWeights(source));
      await source.close();
      return state;
    },
    pixels: () => readFloats(dir, 'image.nhwc'),
  }, phases);
}
