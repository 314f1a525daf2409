/** onnxruntime-web in a worker, with its WebGPU provider; its WebAssembly comes from beside this file, on one thread. */
import * as ort from 'onnxruntime-web/webgpu';
import { filesOf } from '../../browser/files.mjs';
import { serve } from '../../browser/serve.mjs';
import { kernelsOf, openModel } from '../ortEngine.mjs';

ort.env.wasm.numThreads = 1; // more need headers that a static host may not send; the GPU does the work
ort.env.logLevel = 'error';

serve({
  kernels: () => ({ openKernel: kernelsOf(ort, () => ort.env.webgpu.device) }),
  model(config) {
    const files = filesOf(config);
    return openModel(ort, config, { file: files.onnx(), pixels: files.floats('image.nchw') });
  },
});
