/** Graft's kernels one by one, and the adapter's ceilings on the same device. */
import { UNCHECKED } from '../node/dawn.mjs';
import { openCeilings } from '../lib/ceilings.mjs';
import { patiently } from '../lib/timing.mjs';
import { kernelsOf } from '../lib/graftKernels.mjs';
import { loadKernels } from './source.mjs';

export async function open({ unchecked }) {
  const api = await loadKernels();
  const gpu = await api.graft.openGpu(unchecked ? { dawnOptions: [UNCHECKED] } : {});
  let ceilings;
  return {
    adapter: gpu.adapter,
    first: { features: [...gpu.device.features].sort() },
    openKernel: kernelsOf(gpu, api),
    actions: {
      async ceilings({ least, brief }) {
        ceilings ??= await openCeilings(gpu.device, () => patiently(gpu.device.queue.onSubmittedWorkDone()), { brief });
        return { fma: await ceilings.fma(least), copy: await ceilings.copy(least) };
      },
    },
    memory: () => ({ allocated: gpu.memory().allocatedBytes }),
  };
}
