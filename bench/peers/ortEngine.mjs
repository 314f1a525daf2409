/**
 * onnxruntime with its WebGPU provider, which does not train: forward only, of models and of single operations. `ort` is
 * onnxruntime-node or onnxruntime-web, whose programming interface is the same.
 */
import { transpose } from '../lib/numbers.mjs';
import { kernelOnnx } from '../lib/onnx.mjs';

const SESSION = {
  executionProviders: ['webgpu'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
  // A node that the provider cannot run is an error, not a silent detour over the CPU.
  extra: { session: { disable_cpu_ep_fallback: '1' } },
};

/** `file`: the network, as a path or as bytes. */
export async function openModel(ort, { model: { batch, size } }, { file, pixels }) {
  const session = await ort.InferenceSession.create(file, SESSION);
  const forward = async () => (await session.run({ image: new ort.Tensor('float32', pixels, [batch, 3, size, size]) })).logits.data;
  const actions = {
    begin: () => undefined,
    forward,
    async run() {
      const began = performance.now();
      await forward();
      return { ms: performance.now() - began };
    },
  };
  return { workloads: ['forward'], actions, first: { logits: await forward() } };
}

/**
 * Gives the function that makes a case ready: null for what cannot be asked of it, gradients and updates. `device`, where
 * it can be had, resolves to the device: results stay there, and a sample is ended by waiting for its queue. Without it
 * one element is read back every run.
 */
export function kernelsOf(ort, device) {
  return async (item, inputs) => {
    if (item.kind === 'memory' || (item.kind === 'conv' && item.pass !== 'forward')) return null;
    const operands = item.kind === 'matmul'
      ? { first: { shape: [item.m, item.k], data: inputs.a }, second: { shape: [item.k, item.n], data: inputs.b } }
      : {
        first: { shape: item.x, data: inputs.x },
        second: { shape: [3, 2, 0, 1].map((axis) => item.weight[axis]), data: transpose(inputs.weight, item.weight, [3, 2, 0, 1]) },
      };
    const session = await ort.InferenceSession.create(kernelOnnx(item, operands), { ...SESSION, ...(device && { preferredOutputLocation: { out: 'gpu-buffer', end: 'cpu' } }) });
    const zero = new ort.Tensor('float32', new Float32Array(1), [1]);
    const out = async () => (await session.run({ zero }, ['out'])).out;
    if (!device) {
      return { run: () => session.run({ zero }, ['end']), sync: () => undefined, output: async () => (await out()).data, dispose: () => session.release() };
    }
    return {
      run: async () => (await out()).dispose(),
      sync: async () => (await device()).queue.onSubmittedWorkDone(),
      output: async () => (await out()).getData(true),
      dispose: () => session.release(),
    };
  };
}
