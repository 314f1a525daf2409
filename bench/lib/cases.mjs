/**
 * What is measured, as plain data that every engine, the reference and the PyTorch script read alike. Images are
 * [N, H, W, C], convolution weights [kh, kw, in, out]; each engine has them in its own layout.
 */
import { convOperations, traceTrunk } from './resnet.mjs';

export const PASSES = ['forward', 'input', 'weight'];
const PASS_TITLES = { forward: 'forward', input: 'input gradient', weight: 'weight gradient' };
const bytesOf = (...shapes) => 4 * shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);

/** A product of [m, k] and [k, n]. */
export function matmulCase(m, n, k, name = `matmul ${m === n && n === k ? m : `${m}x${k} by ${k}x${n}`}`) {
  return { id: name, group: 'matmul', kind: 'matmul', m, n, k, out: [m, n], operations: 2 * m * n * k, bytes: bytesOf([m, k], [k, n], [m, n]) };
}

/** One pass of a convolution. `nets`: the depths it occurs in. */
export function convCase(conv, pass, nets = []) {
  const { x, weight, stride, padding, out } = conv;
  const [n, extent, , channels] = x;
  const name = `${extent} ${channels}>${weight[3]} k${weight[0]} s${stride}${n > 1 ? ` n${n}` : ''}`;
  return {
    id: `${PASS_TITLES[pass]} ${name}`, group: `conv ${PASS_TITLES[pass]}`, kind: 'conv', pass, name, nets, x, weight, stride, padding, dy: out,
    out: { forward: out, input: x, weight }[pass],
    operations: convOperations(conv), bytes: bytesOf(x, weight, out),
  };
}

/** Every distinct convolution of these networks, in the order in which they first occur. */
export function distinctConvs(depths, { batch = 1, size = 224 } = {}) {
  const found = new Map();
  for (const depth of depths) {
    for (const conv of traceTrunk(depth, batch, size).convs) {
      const key = JSON.stringify([conv.x, conv.weight, conv.stride]);
      const entry = found.get(key) ?? { conv, nets: new Set() };
      entry.nets.add(depth);
      found.set(key, entry);
    }
  }
  return [...found.values()].map(({ conv, nets }) => ({ conv, nets: [...nets] }));
}

/**
 * Work that is bound by memory. `bytes`: each input read once and each output written once, which is the least; a
 * method that passes over memory twice shows as half the speed.
 */
export function memoryCases(batch = 8) {
  const plane = [batch, 56, 56, 64];
  const big = [batch, 112, 112, 64];
  const rows = [256, 1000];
  const weights = [512, 512, 9];
  const memory = (op, shape, bytes, out = shape, more = {}) => ({ id: `${op} ${shape.join('x')}`, group: 'memory', kind: 'memory', op, shape, out, bytes, operations: 0, ...more });
  return [
    memory('relu', plane, bytesOf(plane, plane)),
    memory('add', plane, bytesOf(plane, plane, plane)),
    memory('batch norm', plane, bytesOf(plane, plane)),
    memory('batch norm, training', plane, bytesOf(plane, plane)),
    memory('max pool', big, bytesOf(big, plane), plane),
    memory('average pool', [batch, 7, 7, 512], bytesOf([batch, 7, 7, 512], [batch, 512]), [batch, 512]),
    memory('softmax', rows, bytesOf(rows, rows)),
    memory('sgd update', weights, bytesOf(weights, weights, weights, weights, weights)),
  ];
}

/** The kernel rows. `full`: ResNet-50's gradients and batches of 8 too. */
export function kernelCases({ full = false } = {}) {
  const cases = [512, 1024, 2048].map((n) => matmulCase(n, n, n));
  for (const m of [1, 32]) cases.push(matmulCase(m, 1000, 512));
  for (const pass of PASSES) {
    for (const { conv, nets } of distinctConvs([18, 50])) cases.push(convCase(conv, pass, nets));
  }
  if (full) {
    for (const pass of PASSES) {
      for (const { conv, nets } of distinctConvs([18], { batch: 8 })) cases.push(convCase(conv, pass, nets));
    }
  }
  return [...cases, ...memoryCases()];
}

/** The smallest of each kind, edges and all: what the bench's own test runs. */
export function tinyCases() {
  const conv = { x: [2, 9, 9, 5], weight: [3, 3, 5, 7], stride: 2, padding: 1, out: [2, 5, 5, 7] };
  return [matmulCase(17, 5, 33), ...PASSES.map((pass) => convCase(conv, pass)), ...memoryCases(1)];
}

/** Workloads of a model, in the order in which they run. */
export const WORKLOADS = {
  forward: 'forward',
  head: 'head step',
  cached: 'head step, kept features',
  full: 'full step',
};

const model = (depth, batch, size, workloads) => ({ id: `ResNet-${depth}, batch ${batch}, ${size} px`, depth, batch, size, workloads });
/** jax-js takes a minute to compile a network on a software adapter the first time, and so runs on a few of them. */
const withoutJax = (item) => ({ ...item, without: ['jax'] });

/** The model rows. */
export function modelCases({ full = false } = {}) {
  const all = Object.keys(WORKLOADS);
  const quick = [
    model(18, 1, 224, all),
    model(18, 8, 96, all),
    model(18, 8, 224, ['forward']),
    model(18, 4, 224, ['full']),
    model(50, 1, 224, ['forward', 'head']),
    model(50, 8, 224, ['forward']),
  ];
  if (!full) return quick.map((item, i) => (i < 2 ? item : withoutJax(item)));
  return [...quick, model(18, 32, 96, all), model(50, 8, 96, all), model(50, 4, 224, ['full'])];
}

/** Points of the scaling curves: batch, image size, depth. */
export function curveCases({ full = false } = {}) {
  const workloads = ['forward', 'full'];
  const point = (axis, value, depth, batch, size) => ({ ...model(depth, batch, size, workloads), axis, value });
  return [
    ...(full ? [1, 2, 4, 8, 16, 32] : [1, 2, 4, 8, 16]).map((n) => point('batch', n, 18, n, 96)),
    ...[64, 96, 128, 160, 192, 224].map((n) => point('image size', n, 18, 2, n)),
    ...(full ? [18, 34, 50, 101, 152] : [18, 34, 50, 101]).map((n) => point('depth', n, n, 2, 96)),
  ];
}
