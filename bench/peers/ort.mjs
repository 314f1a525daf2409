/** onnxruntime-node with its WebGPU provider, which does not train: forward only, of models and of single operations. */
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { readFloats } from '../node/readFiles.mjs';
import { transpose } from '../lib/numbers.mjs';
import { kernelOnnx } from './onnx.mjs';

const SESSION = {
  executionProviders: ['webgpu'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
  // A node that the provider cannot run is an error, not a silent detour over the CPU.
  extra: { session: { disable_cpu_ep_fallback: '1' } },
};

export async function open({ dir, model }) {
  if (!model) return { openKernel };
  const { batch, size } = model;
  const session = await ort.InferenceSession.create(join(dir, 'resnet.onnx'), SESSION);
  const pixels = readFloats(dir, 'image.nchw');
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

/** Null for what cannot be asked of it: gradients and updates. Reading one element back ends each iteration. */
async function openKernel(item, inputs) {
  if (item.kind === 'memory' || (item.kind === 'conv' && item.pass !== 'forward')) return null;
  const operands = item.kind === 'matmul'
    ? { first: { shape: [item.m, item.k], data: inputs.a }, second: { shape: [item.k, item.n], data: inputs.b } }
    : {
      first: { shape: item.x, data: inputs.x },
      second: { shape: [3, 2, 0, 1].map((axis) => item.weight[axis]), data: transpose(inputs.weight, item.weight, [3, 2, 0, 1]) },
    };
  const session = await ort.InferenceSession.create(kernelOnnx(item, operands), SESSION);
  const zero = new ort.Tensor('float32', new Float32Array(1), [1]);
  return {
    run: () => session.run({ zero }, ['end']),
    sync: () => undefined,
    output: async () => (await session.run({ zero }, ['out'])).out.data,
    dispose: () => session.release(),
  };
}
