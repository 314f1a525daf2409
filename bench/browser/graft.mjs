/** Graft in a worker: its kernels one by one with the adapter's ceilings, or a network by the public API. */
import * as graft from '../../src/index.ts';
import { conv2d, conv2dBackwardInput, conv2dBackwardWeight } from '../../src/kernels/conv2d/conv2d.ts';
import { matmul } from '../../src/kernels/matmul/matmul.ts';
import { openCeilings } from '../lib/ceilings.mjs';
import { kernelsOf } from '../lib/graftKernels.mjs';
import { openModel } from '../lib/graftModel.mjs';
import { filesOf, preparationMs } from './files.mjs';
import { serve } from './serve.mjs';

const KERNELS = { matmul, conv2d, conv2dBackwardInput, conv2dBackwardWeight, graft };

async function openKernels() {
  const gpu = await graft.openGpu();
  let ceilings;
  return {
    adapter: gpu.adapter,
    first: { features: [...gpu.device.features].sort() },
    openKernel: kernelsOf(gpu, KERNELS),
    actions: {
      async ceilings({ least, brief }) {
        ceilings ??= await openCeilings(gpu.device, () => gpu.device.queue.onSubmittedWorkDone(), { brief });
        return { fma: await ceilings.fma(least), copy: await ceilings.copy(least) };
      },
    },
    memory: () => ({ allocated: gpu.memory().allocatedBytes }),
  };
}

async function openNetwork(config) {
  const files = filesOf(config);
  const pixels = files.floats('image.nhwc');
  const phases = { imports: performance.now() };
  const { depth, classes } = config.model;
  const gpu = await graft.openGpu();
  phases.device = performance.now();
  const engine = await openModel(graft, gpu, config, {
    async load() {
      const network = graft.createModel(gpu, `resnet${depth}`, { numClasses: classes, initialise: false });
      network.loadStateDict(files.state);
      return network;
    },
    state: async () => files.state,
    pixels: () => pixels,
  }, phases);
  // Making the files, which came first, is no part of a start.
  for (const name of Object.keys(phases)) phases[name] -= preparationMs;
  return engine;
}

serve({ kernels: openKernels, model: openNetwork });
