/**
 * TensorFlow.js with its WebGPU backend, on the same Dawn as Graft: Dawn's entry point is put where a browser has it.
 * The network is written in its ops, with the same weights, in its own layouts: NHWC, HWIO, and [in, out] for the head.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, globals } from 'webgpu';
import { EPSILON, trunk } from './resnet18.mjs';
import { config, patiently, readFloats, serve } from './engine.mjs';

const { batch, size, labels, lr, momentum, dir, unchecked } = config;
const STATISTICS_MOMENTUM = 0.1;

await serve(async () => {
  Object.assign(globalThis, globals);
  const gpu = create(unchecked ? ['enable-dawn-features=disable_robustness,skip_validation'] : []);
  if (globalThis.navigator) Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu });
  else Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: '' } });
  let adapter = null;
  const request = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (options) => {
    const found = await request(options);
    if (found) adapter = { description: found.info.description, vendor: found.info.vendor, architecture: found.info.architecture };
    return found;
  };

  const { default: tf } = await import('@tensorflow/tfjs-core');
  await import('@tensorflow/tfjs-layers'); // for the gradients it registers: the core's build for Node has none
  await import('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new Error('its WebGPU backend found no adapter');
  await tf.ready();

  const readWeights = () => {
    const { buffer, byteOffset, byteLength } = readFileSync(join(dir, 'weights.tfjs'));
    return tf.io.decodeWeights(buffer.slice(byteOffset, byteOffset + byteLength), JSON.parse(readFileSync(join(dir, 'weights.tfjs.json'), 'utf8')));
  };
  const state = {};
  for (const [name, tensor] of Object.entries(readWeights())) {
    state[name] = tf.variable(tensor, !name.includes('running_'), name);
    tensor.dispose();
  }
  const all = Object.values(state);
  const head = [state['fc.weight'], state['fc.bias']];
  const trainable = all.filter((variable) => variable.trainable);
  const pixels = readFloats('image.nhwc');
  const image = () => tf.tensor4d(pixels, [batch, size, size, 3]);
  const oneHot = tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), state['fc.bias'].shape[0]), 'float32');
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
  const trunkOf = (x, training = false) => trunk(operations(training), x);
  const headOf = (x) => tf.add(tf.matMul(x, state['fc.weight']), state['fc.bias']);
  const lossOf = (logits) => tf.losses.softmaxCrossEntropy(oneHot, logits);

  const steps = {
    head() {
      const x = tf.tidy(() => trunkOf(image()));
      const loss = optimizer.minimize(() => lossOf(headOf(x)), true, head);
      x.dispose();
      return loss;
    },
    cached() {
      const x = tf.tensor2d(features, [batch, features.length / batch]);
      const loss = optimizer.minimize(() => lossOf(headOf(x)), true, head);
      x.dispose();
      return loss;
    },
    full: () => tf.tidy(() => optimizer.minimize(() => lossOf(headOf(trunkOf(image(), true))), true, trainable)),
  };

  async function read(tensor) {
    const values = await patiently(tensor.data());
    tensor.dispose();
    return values;
  }

  return {
    adapter,
    workloads: ['forward', 'head', 'cached', 'full'],
    forward: () => read(tf.tidy(() => headOf(trunkOf(image())))),
    async begin(workload) {
      for (const [name, tensor] of Object.entries(readWeights())) {
        state[name].assign(tensor);
        tensor.dispose();
      }
      if (workload === 'forward') return;
      optimizer?.dispose();
      optimizer = tf.train.momentum(lr, momentum);
      if (workload === 'cached') features = await read(tf.tidy(() => trunkOf(image())));
    },
    async step(workload) {
      return (await read(steps[workload]()))[0];
    },
    memory() {
      const { numBytesInGPU, numBytesAllocatedInGPU } = tf.memory();
      return { live: numBytesInGPU, allocated: numBytesAllocatedInGPU };
    },
  };
});
