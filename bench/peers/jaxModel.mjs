/**
 * A ResNet in jax-js, channels first, each workload one `jit`. It brings no layers: batch norm is its formula. Values
 * are given up when passed on, so what is used twice is passed as `.ref` the first time.
 */
import { EPSILON, trunk } from '../lib/resnet.mjs';
import { sizeOf } from '../lib/numbers.mjs';
import { patiently } from '../lib/timing.mjs';
import { maxPool } from './jaxKernels.mjs';

const STATISTICS_MOMENTUM = 0.1;

/** `files`: `floats(name)` and `json(name)` of what was prepared for this engine. */
export function openModel({ numpy: np, lax, nn, jit, valueAndGrad, tree, blockUntilReady }, { model: { depth, batch, size }, labels, lr, momentum }, files) {
  const pixels = files.floats('image.nchw');
  const listed = files.json('weights.jax.json');
  const classes = listed.find(({ name }) => name === 'fc.bias').shape[0];
  const isStatistic = (name) => name.includes('running_');
  const isHead = (name) => name.startsWith('fc.');

  const imageOf = () => np.array(pixels).reshape([batch, 3, size, size]);
  const oneHot = new Float32Array(batch * classes);
  labels.forEach((label, i) => (oneHot[i * classes + label] = 1));

  /** Arrays by name, of those `wanted`; `zero`: of the same shapes, for momentum. */
  function readWeights(wanted, zero = false) {
    const values = files.floats('weights.jax');
    const arrays = {};
    let at = 0;
    for (const { name, shape } of listed) {
      const length = sizeOf(shape);
      if (wanted(name)) arrays[name] = np.array(zero ? new Float32Array(length) : values.slice(at, at + length)).reshape(shape);
      at += length;
    }
    return arrays;
  }

  /** Over `p`, all values by name. Those it moves, in training, come out in `moved`. */
  const operations = (p, moved) => ({
    convNorm(x, conv, norm, { stride, padding, residual, relu }) {
      const y = lax.convGeneralDilated(x.ref, p[`${conv}.weight`].ref, [stride, stride], [[padding, padding], [padding, padding]]);
      const column = (array) => array.reshape([1, y.shape[1], 1, 1]);
      let z;
      if (moved) {
        const mean = np.mean(y.ref, [0, 2, 3]);
        const centred = y.sub(column(mean.ref));
        const variance = np.mean(centred.ref.mul(centred.ref), [0, 2, 3]);
        const count = sizeOf(y.shape) / y.shape[1];
        const move = (name, value) => (moved[name] = p[name].ref.mul(1 - STATISTICS_MOMENTUM).add(value.mul(STATISTICS_MOMENTUM)));
        move(`${norm}.running_mean`, lax.stopGradient(mean));
        move(`${norm}.running_var`, lax.stopGradient(variance.ref).mul(count / (count - 1)));
        const scale = p[`${norm}.weight`].ref.div(np.sqrt(variance.add(EPSILON)));
        z = centred.mul(column(scale)).add(column(p[`${norm}.bias`].ref));
      } else {
        const scale = p[`${norm}.weight`].ref.div(np.sqrt(p[`${norm}.running_var`].ref.add(EPSILON)));
        const shift = p[`${norm}.bias`].ref.sub(p[`${norm}.running_mean`].ref.mul(scale.ref));
        z = y.mul(column(scale)).add(column(shift));
      }
      if (residual) z = z.add(residual.ref);
      return relu ? nn.relu(z) : z;
    },
    maxPool: (x) => maxPool({ np, lax }, x.ref),
    pool: (x) => np.mean(x.ref, [2, 3]),
  });
  const features = (p, x, moved) => trunk(depth, operations(p, moved), x);
  const logits = (p, x) => np.matmul(x, np.transpose(p['fc.weight'].ref)).add(p['fc.bias'].ref);
  const lossOf = (y, targets) => np.sum(nn.logSoftmax(y, -1).mul(targets)).mul(-1 / batch);

  /** New values and momenta from gradients, as torch.optim.SGD. */
  function descend(values, momenta, gradients) {
    const [next, state] = [{}, {}];
    for (const name of Object.keys(values)) {
      state[name] = momenta[name].mul(momentum).add(gradients[name]);
      next[name] = values[name].sub(state[name].ref.mul(lr));
    }
    return [next, state];
  }

  const compiled = {
    forward: jit((p, x) => logits(p, features(p, x))),
    features: jit((p, x) => features(p, x)),
    head: jit((head, momenta, x, targets) => {
      const [loss, gradients] = valueAndGrad((h) => lossOf(logits(h, x), targets))(tree.ref(head));
      return [loss, ...descend(head, momenta, gradients)];
    }),
    full: jit((values, momenta, statistics, x, targets) => {
      const [[loss, moved], gradients] = valueAndGrad((v) => {
        const statisticsNext = {};
        const p = { ...v, ...statistics };
        return [lossOf(logits(p, features(p, x, statisticsNext)), targets), statisticsNext];
      }, { hasAux: true })(tree.ref(values));
      return [loss, ...descend(values, momenta, gradients), moved];
    }),
  };

  let current = {};
  const forget = () => {
    for (const part of Object.values(current)) tree.dispose(part);
    current = {};
  };

  async function begin({ workload }) {
    forget();
    const trained = workload === 'full' ? (name) => !isStatistic(name) : isHead;
    if (workload === 'forward') current = { all: readWeights(() => true) };
    else {
      current = { values: readWeights(trained), momenta: readWeights(trained, true), targets: np.array(oneHot).reshape([batch, classes]) };
      if (workload === 'full') current.statistics = readWeights(isStatistic);
      else current.all = readWeights(() => true);
      if (workload === 'cached') current.features = compiled.features(tree.ref(current.all), imageOf());
    }
    await patiently(blockUntilReady(current));
  }

  async function forward() {
    if (!current.all) await begin({ workload: 'forward' });
    return patiently(compiled.forward(tree.ref(current.all), imageOf()).data());
  }

  function step(workload) {
    const { values, momenta, statistics, targets, all } = current;
    if (workload === 'full') {
      const [loss, next, state, moved] = compiled.full(values, momenta, statistics, imageOf(), targets.ref);
      Object.assign(current, { values: next, momenta: state, statistics: moved });
      return loss;
    }
    const x = workload === 'cached' ? current.features.ref : compiled.features(tree.ref(all), imageOf());
    const [loss, next, state] = compiled.head(values, momenta, x, targets.ref);
    Object.assign(current, { values: next, momenta: state });
    return loss;
  }

  async function run({ workload }) {
    const began = performance.now();
    if (workload === 'forward') {
      await forward();
      return { ms: performance.now() - began };
    }
    const pending = step(workload);
    const jsMs = performance.now() - began;
    // The updates are part of the step, not only the loss.
    await patiently(blockUntilReady([current.values, current.momenta]));
    const [loss] = await patiently(pending.data());
    return { ms: performance.now() - began, jsMs, loss };
  }

  return { workloads: ['forward', 'head', 'cached', 'full'], actions: { begin, run, forward } };
}
