/** Sums in double precision of single elements of a case's result: what every engine's output must agree with. */
import { sizeOf, uniform, unravel } from './numbers.mjs';

const SAMPLES = 48;

/** The case's inputs, in the bench's own layout: images NHWC, weights HWIO, matrices as they are. */
export function inputsOf(item) {
  if (item.kind === 'matmul') return { a: uniform(item.m * item.k, 1), b: uniform(item.k * item.n, 2) };
  if (item.kind === 'conv') {
    const { x, weight, dy } = item;
    return {
      ...(item.pass !== 'input' ? { x: uniform(sizeOf(x), 1) } : {}),
      ...(item.pass !== 'weight' ? { weight: uniform(sizeOf(weight), 2) } : {}),
      ...(item.pass !== 'forward' ? { dy: uniform(sizeOf(dy), 3) } : {}),
    };
  }
  return { x: uniform(sizeOf(item.shape), 1), y: uniform(sizeOf(item.shape), 2) };
}

/** Elements that are compared: both ends, and others spread over the result. */
export function sampledElements(item) {
  const size = sizeOf(item.out);
  return Array.from({ length: Math.min(SAMPLES, size) }, (_, i) => (i === 0 ? 0 : i === 1 ? size - 1 : (i * 2654435761) % size));
}

/** Largest deviation of `values` (of the sampled elements) by the size of a typical element. */
export function deviation(item, inputs, values) {
  const at = sampledElements(item);
  const element = REFERENCES[item.kind === 'conv' ? item.pass : item.kind === 'matmul' ? 'matmul' : item.op](item, inputs);
  const expected = at.map(element);
  const typical = Math.max(1e-3, Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length));
  return values.reduce((worst, value, i) => (Number.isFinite(value) ? Math.max(worst, Math.abs(value - expected[i]) / typical) : Infinity), values.length === at.length ? 0 : Infinity);
}

/** Constants of the batch norm and update cases. */
export const NORM = { mean: 0.1, variance: 0.8, weight: 1.2, bias: -0.3, epsilon: 1e-5 };
export const SGD = { lr: 0.01, momentum: 0.9 };

const REFERENCES = {
  matmul: ({ n, k, out }, { a, b }) => (at) => {
    const [i, j] = unravel(at, out);
    let sum = 0;
    for (let l = 0; l < k; l++) sum += a[i * k + l] * b[l * n + j];
    return sum;
  },
  forward: ({ x: [, height, width, channels], weight: [kh, kw, , out], stride, padding, dy }, { x, weight }) => (at) => {
    const [n, oy, ox, o] = unravel(at, dy);
    let sum = 0;
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const [y, xx] = [oy * stride + ky - padding, ox * stride + kx - padding];
        if (y < 0 || xx < 0 || y >= height || xx >= width) continue;
        for (let c = 0; c < channels; c++) sum += x[((n * height + y) * width + xx) * channels + c] * weight[((ky * kw + kx) * channels + c) * out + o];
      }
    }
    return sum;
  },
  input: ({ x: shape, weight: [kh, kw, channels, out], stride, padding, dy: [, height, width] }, { weight, dy }) => (at) => {
    const [n, y, xx, c] = unravel(at, shape);
    let sum = 0;
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const [oy, ox] = [(y + padding - ky) / stride, (xx + padding - kx) / stride];
        if (!Number.isInteger(oy) || !Number.isInteger(ox) || oy < 0 || ox < 0 || oy >= height || ox >= width) continue;
        for (let o = 0; o < out; o++) sum += dy[((n * height + oy) * width + ox) * out + o] * weight[((ky * kw + kx) * channels + c) * out + o];
      }
    }
    return sum;
  },
  weight: ({ x: [images, height, width, channels], weight: shape, stride, padding, dy: [, oh, ow, out] }, { x, dy }) => (at) => {
    const [ky, kx, c, o] = unravel(at, shape);
    let sum = 0;
    for (let n = 0; n < images; n++) {
      for (let oy = 0; oy < oh; oy++) {
        for (let ox = 0; ox < ow; ox++) {
          const [y, xx] = [oy * stride + ky - padding, ox * stride + kx - padding];
          if (y < 0 || xx < 0 || y >= height || xx >= width) continue;
          sum += x[((n * height + y) * width + xx) * channels + c] * dy[((n * oh + oy) * ow + ox) * out + o];
        }
      }
    }
    return sum;
  },
  relu: (_, { x }) => (at) => Math.max(0, x[at]),
  add: (_, { x, y }) => (at) => x[at] + y[at],
  'batch norm': (_, { x }) => (at) => ((x[at] - NORM.mean) / Math.sqrt(NORM.variance + NORM.epsilon)) * NORM.weight + NORM.bias,
  'batch norm, training': ({ shape }, { x }) => (at) => {
    const channels = shape[3];
    const [count, c] = [x.length / channels, at % channels];
    let [sum, squares] = [0, 0];
    for (let i = c; i < x.length; i += channels) {
      sum += x[i];
      squares += x[i] * x[i];
    }
    const mean = sum / count;
    return ((x[at] - mean) / Math.sqrt(squares / count - mean * mean + NORM.epsilon)) * NORM.weight + NORM.bias;
  },
  'max pool': ({ shape: [, height, width, channels], out }, { x }) => (at) => {
    const [n, oy, ox, c] = unravel(at, out);
    let largest = -Infinity;
    for (let y = Math.max(0, 2 * oy - 1); y <= Math.min(height - 1, 2 * oy + 1); y++) {
      for (let xx = Math.max(0, 2 * ox - 1); xx <= Math.min(width - 1, 2 * ox + 1); xx++) largest = Math.max(largest, x[((n * height + y) * width + xx) * channels + c]);
    }
    return largest;
  },
  'average pool': ({ shape: [, height, width, channels] }, { x }) => (at) => {
    const [n, c] = [Math.floor(at / channels), at % channels];
    let sum = 0;
    for (let i = 0; i < height * width; i++) sum += x[(n * height * width + i) * channels + c];
    return sum / (height * width);
  },
  softmax: ({ shape: [, columns] }, { x }) => (at) => {
    const start = at - (at % columns);
    let sum = 0;
    for (let i = start; i < start + columns; i++) sum += Math.exp(x[i]);
    return Math.exp(x[at]) / sum;
  },
  // The first step: momentum starts as the gradient.
  'sgd update': (_, { x, y }) => (at) => x[at] - SGD.lr * y[at],
};
