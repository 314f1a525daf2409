/** A ResNet in TensorFlow.js's ops, with the same weights in its own layouts: NHWC, HWIO, and [in, out] for the head. */
import { EPSILON, trunk } from '../lib/resnet.mjs';
import { patiently } from '../lib/timing.mjs';
import { tuningBatch } from '../lib/tuning.mjs';

const STATISTICS_MOMENTUM = 0.1;
/** Losses that are read together, as Graft does. */
const READ_TOGETHER = 8;

/** `files`: `floats(name)` and `json(name)` of what was prepared for this engine. */
export function openModel(tf, { model: { depth, batch, size }, labels, lr, momentum }, files) {
  const readWeights = () => tf.io.decodeWeights(files.floats('weights.tfjs').buffer, files.json('weights.tfjs.json'));
  const state = {};
  for (const [name, tensor] of Object.entries(readWeights())) {
    state[name] = tf.variable(tensor, !name.includes('running_'), name);
    tensor.dispose();
  }
  const head = [state['fc.weight'], state['fc.bias']];
  const trainable = Object.values(state).filter((variable) => variable.trainable);
  const pixels = files.floats('image.nhwc');
  const image = () => tf.tensor4d(pixels, [batch, size, size, 3]);
  const oneHotOf = (list) => tf.cast(tf.oneHot(tf.tensor1d(list, 'int32'), state['fc.bias'].shape[0]), 'float32');
  const oneHot = oneHotOf(labels);
  let optimizer;
  let features;

  /** Moves running statistics as PyTorch does: with the unbiased variance. */
  function track(norm, { mean, variance }, count) {
    const move = (variable, value) => variable.assign(tf.add(tf.mul(variable, 1 - STATISTICS_MOMENTUM), tf.mul(value, STATISTICS_MOMENTUM)));
    move(state[`${norm}.running_mean`], mean);
    move(state[`${norm}.running_var`], tf.mul(variance, count / (count - 1)));
  }

  const operations = (training) => ({
    convNorm(x, conv, norm, { stride, padding, residual, relu }) {
      const y = tf.conv2d(x, state[`${conv}.weight`], stride, padding);
      let statistics = { mean: state[`${norm}.running_mean`], variance: state[`${norm}.running_var`] };
      if (training) {
        statistics = tf.moments(y, [0, 1, 2]);
        track(norm, statistics, y.size / y.shape[3]);
      }
      let z = tf.batchNorm(y, statistics.mean, statistics.variance, state[`${norm}.bias`], state[`${norm}.weight`], EPSILON);
      if (residual) z = tf.add(z, residual);
      return relu ? tf.relu(z) : z;
    },
    maxPool: (x) => tf.maxPool(x, 3, 2, 1),
    pool: (x) => tf.mean(x, [1, 2]),
  });
  const trunkOf = (x, training = false) => trunk(depth, operations(training), x);
  const headOf = (x) => tf.add(tf.matMul(x, state['fc.weight']), state['fc.bias']);
  const headStep = (x, targets) => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(targets, headOf(x)), true, head);

  const steps = {
    head() {
      const x = tf.tidy(() => trunkOf(image()));
      const loss = headStep(x, oneHot);
      x.dispose();
      return loss;
    },
    cached() {
      const x = tf.tensor2d(features, [batch, features.length / batch]);
      const loss = headStep(x, oneHot);
      x.dispose();
      return loss;
    },
    full: () => tf.tidy(() => optimizer.minimize(() => tf.losses.softmaxCrossEntropy(oneHot, headOf(trunkOf(image(), true))), true, trainable)),
  };

  async function read(tensor) {
    const values = await patiently(tensor.data());
    tensor.dispose();
    return values;
  }
  const forward = () => read(tf.tidy(() => headOf(trunkOf(image()))));

  async function begin({ workload }) {
    for (const [name, tensor] of Object.entries(readWeights())) {
      state[name].assign(tensor);
      tensor.dispose();
    }
    if (workload === 'forward') return;
    optimizer?.dispose();
    optimizer = tf.train.momentum(lr, momentum);
    if (workload === 'cached') features = await read(tf.tidy(() => trunkOf(image())));
  }

  async function run({ workload }) {
    const began = performance.now();
    if (workload === 'forward') {
      await forward();
      return { ms: performance.now() - began };
    }
    const pending = steps[workload]();
    const jsMs = performance.now() - began;
    const [loss] = await read(pending);
    return { ms: performance.now() - began, jsMs, loss };
  }

  /**
   * Head tuning on images in memory, in the order it is given. `keepFeatures`: as one would by hand, features computed
   * once and kept on the device.
   */
  async function tune({ images, batchSize, size: extent, classes, orders, keepFeatures }) {
    await begin({ workload: 'head' });
    const began = performance.now();
    const epochsMs = [];
    const losses = [];
    let kept;
    if (keepFeatures) {
      const parts = [];
      for (let start = 0; start < images; start += batchSize) {
        const order = Array.from({ length: Math.min(batchSize, images - start) }, (_, i) => start + i);
        parts.push(tf.tidy(() => trunkOf(tf.tensor4d(tuningBatch(order, extent), [order.length, extent, extent, 3]))));
      }
      kept = tf.concat(parts);
      tf.dispose(parts);
    }
    for (const order of orders) {
      const started = performance.now();
      let [sum, pending] = [0, []];
      const collect = async () => {
        for (const { loss, count } of pending.splice(0)) sum += (await read(loss))[0] * count;
      };
      for (let start = 0; start < order.length; start += batchSize) {
        const chosen = Array.from(order.subarray(start, start + batchSize));
        const [x, targets] = tf.tidy(() => [
          kept ? tf.gather(kept, tf.tensor1d(chosen, 'int32')) : trunkOf(tf.tensor4d(tuningBatch(chosen, extent), [chosen.length, extent, extent, 3])),
          oneHotOf(chosen.map((index) => index % classes)),
        ]);
        pending.push({ loss: headStep(x, targets), count: chosen.length });
        tf.dispose([x, targets]);
        if (pending.length === READ_TOGETHER) await collect();
      }
      await collect();
      losses.push(sum / order.length);
      epochsMs.push(performance.now() - started);
    }
    kept?.dispose();
    return { ms: performance.now() - began, losses, epochsMs };
  }

  return { workloads: ['forward', 'head', 'cached', 'full'], actions: { begin, run, tune, forward } };
}
