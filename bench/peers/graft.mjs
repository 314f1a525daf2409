/** Graft itself, by its public API: what a user's program would do. */
import { join } from 'node:path';
import { Optimizer, Tensor, backward, crossEntropy, load, noGrad, openFile, openGpu, openWeights, readAll, scope } from '../../dist/node.js';
import { CLASSES } from './resnet18.mjs';
import { config, readFloats, serve } from './engine.mjs';

const { batch, size, labels, lr, momentum } = config;
const weights = join(config.dir, 'resnet18.safetensors');

await serve(async () => {
  const gpu = await openGpu(config.unchecked ? { dawnOptions: ['enable-dawn-features=disable_robustness,skip_validation'] } : {});
  const { network } = await load(weights, { gpu });
  const pixels = readFloats('image.nhwc');
  const image = () => Tensor.fromArray(gpu, [batch, size, size, 3], pixels);
  const target = () => Tensor.fromArray(gpu, [batch], Int32Array.from(labels));
  const compiled = new Set();
  let optimizer;
  let features;

  const infer = () => noGrad(() => network.forward(image()));
  const logitsOf = {
    head: () => network.forward(image()),
    cached: () => network.forwardHead(Tensor.fromArray(gpu, [batch, network.numFeatures], features)),
    full: () => network.forward(image()),
  };
  const train = (workload) => {
    const loss = crossEntropy(logitsOf[workload](), target());
    backward(loss);
    optimizer.step();
    optimizer.zeroGrad();
    return loss;
  };

  /** Compiles a workload's pipelines in parallel before its first run, as fine-tuning does, then runs and reads back. */
  async function run(workload, fn) {
    if (!compiled.has(workload)) await gpu.precompile(fn);
    compiled.add(workload);
    const result = scope(gpu, fn);
    const values = await result.toArray();
    result.dispose();
    return values;
  }

  async function reload() {
    const source = await openFile(weights);
    network.loadStateDict(await readAll(await openWeights(source)));
    await source.close();
  }

  network.eval();
  return {
    adapter: gpu.adapter,
    workloads: ['forward', 'head', 'cached', 'full'],
    async forward() {
      const logits = await run('forward', infer);
      if (logits.length !== batch * CLASSES) throw new Error(`${logits.length} logits`);
      return logits;
    },
    async begin(workload) {
      await reload();
      network.train(workload !== 'forward');
      network.unfreeze();
      if (workload === 'forward') return;
      if (workload !== 'full') {
        network.freeze();
        network.unfreeze('fc');
      }
      optimizer?.dispose();
      optimizer = new Optimizer(network.namedParameters(), { name: 'sgd', lr, momentum });
      if (workload === 'cached') features = await run('features', () => noGrad(() => network.forwardFeatures(image())));
    },
    async step(workload) {
      return (await run(workload, () => train(workload)))[0];
    },
    memory() {
      const { liveBytes, allocatedBytes, peakBytes } = gpu.memory();
      return { live: liveBytes, allocated: allocatedBytes, peak: peakBytes };
    },
  };
});
