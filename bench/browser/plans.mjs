/**
 * What a run on the page measures: three sizes, for a GPU and for a software adapter, which is a hundred times slower.
 * Lists begin with what tells most, since a run that is out of time leaves out the rest.
 */
import { convCase, curveCases, kernelCases, matmulCase, memoryCases, modelCases } from '../lib/cases.mjs';
import { CLASSES } from '../lib/resnet.mjs';

export const SUITES = {
  kernels: { title: 'Kernels', what: 'matrix products, convolutions and their gradients, work bound by memory' },
  models: { title: 'Networks', what: 'ResNets: forward passes and training steps' },
  start: { title: 'Start', what: 'from nothing to the first result, cold, and warm after that' },
  memory: { title: 'Memory', what: 'bytes on the device while a head is trained' },
  tuning: { title: 'Head tuning', what: 'a whole run beside the loop one would write with tfjs' },
  curves: { title: 'Scaling', what: 'time and memory by batch, image size and depth' },
};
export const SIZES = ['quick', 'standard', 'full'];

const model = (depth, batch, size, ...workloads) => ({ id: `ResNet-${depth}, batch ${batch}, ${size} px`, depth, batch, size, workloads });
const conv = (extent, from, to, pass, kernel = 3) => {
  const x = [1, extent, extent, from];
  return convCase({ x, weight: [kernel, kernel, from, to], stride: 1, padding: (kernel - 1) / 2, out: [1, extent, extent, to] }, pass);
};

const KERNELS = {
  software: {
    quick: () => [matmulCase(128, 128, 128), conv(14, 64, 64, 'forward'), memoryCases(1)[0]],
    standard: () => [
      matmulCase(256, 256, 256), conv(28, 64, 64, 'forward'), conv(14, 128, 128, 'forward'), conv(14, 128, 128, 'input'), conv(14, 128, 128, 'weight'),
      conv(28, 64, 128, 'forward', 1), ...memoryCases(1),
    ],
    full: () => kernelCases(),
  },
  hardware: {
    quick: () => [
      matmulCase(1024, 1024, 1024), conv(56, 64, 64, 'forward'), conv(14, 256, 256, 'forward'), conv(56, 64, 64, 'input'), conv(56, 64, 64, 'weight'), ...memoryCases().slice(0, 3),
    ],
    standard: () => kernelCases(),
    full: () => kernelCases({ full: true }),
  },
};
const MODELS = {
  software: {
    quick: () => [model(18, 1, 64, 'forward')],
    standard: () => [model(18, 1, 224, 'forward'), model(18, 2, 64, 'head', 'cached', 'full')],
    full: () => modelCases(),
  },
  hardware: {
    quick: () => [model(18, 1, 224, 'forward', 'head', 'full'), model(50, 8, 224, 'forward')],
    standard: () => modelCases(),
    full: () => modelCases({ full: true }),
  },
};

/** `software`: of the adapter. `own`: one model in place of the lists and in the start, `{ depth, batch, size, workloads }`. */
export function planOf(size, software, own) {
  const at = software ? 'software' : 'hardware';
  const pixels = software ? 64 : size === 'quick' ? 96 : 224;
  return {
    rounds: { quick: 3, standard: 5, full: 9 }[size],
    kernels: KERNELS[at][size](),
    models: own ? [{ ...own, id: `ResNet-${own.depth}, batch ${own.batch}, ${own.size} px` }] : MODELS[at][size](),
    start: {
      depth: own?.depth ?? 18, batch: own?.batch ?? 1, size: own?.size ?? pixels, classes: CLASSES, times: { quick: 1, standard: 3, full: 5 }[size], warm: size === 'quick' ? 2 : 5,
    },
    memory: [software ? { depth: 18, batch: 4, size: 64 } : { depth: size === 'quick' ? 18 : 50, batch: 32, size: pixels }],
    tuning: {
      model: { depth: 18, batch: 1, size: software ? 32 : 96, classes: 10 },
      ...(software ? { images: 12, epochs: 2, batchSize: 4 } : { images: size === 'quick' ? 100 : 500, epochs: 10, batchSize: 32 }), peerEpochs: size === 'full' ? 10 : 1,
    },
    curves: software || size === 'quick' ? curveCases().filter(({ axis, value }) => axis === 'batch' && value <= 4).map((item) => ({ ...item, size: software ? 64 : 96, workloads: ['forward'] })) : curveCases({ full: size === 'full' }),
  };
}

/** Seconds that a suite may take before it begins no new row, and about what all of its engines take; null: to the end. */
export function secondsOf(suite, size, software) {
  if (size === 'full') return null;
  const seconds = size === 'quick' ? { kernels: 15, models: 15, start: 20, memory: 15, tuning: 30, curves: 20 } : { kernels: 300, models: 240, start: 60, memory: 40, tuning: 120, curves: 180 };
  return seconds[suite] * (software && size === 'standard' ? 0.8 : 1);
}
