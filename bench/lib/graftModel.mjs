/**
 * A ResNet on Graft by its public API: what a user's program would do. Steps are captured and replayed, or eager.
 * In Node and in a browser alike.
 */
import { sizeOf } from './numbers.mjs';
import { tuningImage } from './tuning.mjs';

/**
 * `api`: Graft's public API. `load(gpu)` gives the network with its weights, `state()` the weights again, `pixels()` the
 * images. `phases`: when each part of the start had ended; more are added.
 */
export async function openModel(api, gpu, { model, labels, lr, momentum, eager }, { load, state, pixels: read }, phases) {
  const { Optimizer, Tensor, backward, capture, crossEntropy, keep, noGrad, scope } = api;
  const { batch, size } = model;
  const network = await load(gpu);
  network.eval();
  phases.weights = performance.now();
  const pixels = read();
  let optimizer;
  let program;

  /** What a workload computes, of inputs that are on the device. */
  const logitsOf = (workload, x) => (workload === 'cached' ? network.forwardHead(x) : network.forward(x));
  const train = (workload, x, target) => {
    const loss = crossEntropy(logitsOf(workload, x), target);
    backward(loss);
    optimizer.step();
    optimizer.zeroGrad();
    return loss;
  };
  const compute = (workload, x, target) => (workload === 'forward' ? noGrad(() => network.forward(x)) : train(workload, x, target));

  /** Ready to run: `upload` brings the input, `start` records the work and gives the result to read. */
  async function prepare(workload, input, shape) {
    const target = keep(Tensor.fromArray(gpu, [batch], Int32Array.from(labels)));
    if (eager) {
      await gpu.precompile(() => compute(workload, Tensor.empty(gpu, shape), target));
      let x;
      return {
        upload() {
          x = keep(Tensor.fromArray(gpu, shape, input));
        },
        start: () => scope(gpu, () => compute(workload, x, target)),
        end(result) {
          x.dispose();
          result.dispose();
        },
        dispose: () => target.dispose(),
      };
    }
    const x = keep(Tensor.empty(gpu, shape));
    const captured = await capture(gpu, () => compute(workload, x, target));
    return {
      upload: () => x.write(input),
      start: () => captured.replay(),
      end: () => undefined,
      dispose() {
        captured.dispose();
        for (const each of [x, target]) each.dispose();
      },
    };
  }

  async function once() {
    const began = performance.now();
    program.upload();
    const uploaded = performance.now();
    const result = program.start();
    const reading = result.toArray(); // submits; what comes after is waiting
    const jsMs = performance.now() - uploaded;
    const values = await reading;
    const ms = performance.now() - began;
    program.end(result);
    return { values, ms, jsMs };
  }

  async function begin({ workload }) {
    program?.dispose();
    program = undefined;
    network.loadStateDict(await state());
    network.train(workload !== 'forward');
    network.unfreeze();
    if (workload !== 'forward' && workload !== 'full') {
      network.freeze();
      network.unfreeze('fc');
    }
    optimizer?.dispose();
    optimizer = undefined;
    let [input, shape] = [pixels, [batch, size, size, 3]];
    if (workload !== 'forward') {
      if (workload === 'cached') {
        const features = scope(gpu, () => noGrad(() => network.forwardFeatures(Tensor.fromArray(gpu, shape, pixels))));
        [input, shape] = [await features.toArray(), [batch, network.numFeatures]];
        features.dispose();
      }
      optimizer = new Optimizer(network.namedParameters(), { name: 'sgd', lr, momentum });
    }
    gpu.trim();
    program = await prepare(workload, input, shape);
  }

  async function run({ workload }) {
    const { values, ms, jsMs } = await once();
    return { ms, jsMs, ...(workload === 'forward' ? {} : { loss: values[0] }) };
  }

  /** `fineTune` of the head on images in memory. Tells the order of the images too, for who repeats it. */
  async function tune({ images, epochs, seed, batchSize, size: extent, classes }) {
    const names = Array.from({ length: classes }, (_, i) => `class ${i}`);
    const items = Array.from({ length: images }, (_, i) => ({ name: `image ${i}`, label: i % classes, hash: i.toString(16).padStart(64, '0') }));
    const dataset = (list) => api.createDataset(names, list, async ({ hash }) => tuningImage(parseInt(hash.slice(-8), 16), extent));
    const preprocessing = { ...api.IMAGENET_PREPROCESSING, resizeSize: extent, cropSize: extent };
    const classifier = new api.Classifier(network, { classes: names, preprocessing });
    const data = { classes: names, train: dataset(items), validation: dataset([]), report: { found: images, skipped: [], duplicates: [], conflicts: [], warnings: [] } };
    const began = performance.now();
    const result = await api.fineTune(classifier, data, { plan: 'head', epochs, batchSize, seed, schedule: 'constant', patience: 0, optimizer: { name: 'sgd', lr, momentum } });
    const ms = performance.now() - began;
    if (result.ended !== 'finished') throw new Error(`fine-tuning ended: ${result.ended} ${result.reason ?? ''}`);
    return {
      ms,
      losses: result.history.map(({ trainLoss }) => trainLoss),
      epochsMs: result.history.map(({ seconds }) => 1000 * seconds),
      orders: Array.from({ length: epochs }, (_, epoch) => api.shuffle(images, seed, epoch)),
    };
  }

  await begin({ workload: 'forward' });
  phases.compiled = performance.now();
  const { values } = await once();
  phases.first = performance.now();
  if (values.length !== batch * sizeOf(network.fc.bias.shape)) throw new Error(`${values.length} logits`);
  return {
    adapter: gpu.adapter,
    workloads: ['forward', 'head', 'cached', 'full'],
    first: { logits: values, phases, features: [...gpu.device.features].sort() },
    actions: { begin, run, tune },
    memory() {
      const { liveBytes, allocatedBytes, peakBytes } = gpu.memory();
      return { live: liveBytes, allocated: allocatedBytes, peak: peakBytes };
    },
  };
}
