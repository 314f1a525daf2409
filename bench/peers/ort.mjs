/** onnxruntime-node with its WebGPU provider, which does not train: forward only. */
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { config, readFloats, serve } from './engine.mjs';

const { batch, size, dir } = config;

await serve(async () => {
  const session = await ort.InferenceSession.create(join(dir, 'resnet18.onnx'), {
    executionProviders: ['webgpu'],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    // A node that the provider cannot run is an error, not a silent detour over the CPU.
    extra: { session: { disable_cpu_ep_fallback: '1' } },
  });
  const pixels = readFloats('image.nchw');
  return {
    workloads: ['forward'],
    async forward() {
      const image = new ort.Tensor('float32', pixels, [batch, 3, size, size]);
      const { logits } = await session.run({ image });
      return logits.data;
    },
  };
});
