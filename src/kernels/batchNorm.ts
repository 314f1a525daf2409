/** Batch normalisation of [..., C] tensors, its gradient, and what of it goes into the convolution before it. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { Tensor } from '../tensor';
import grid from '../../shaders/lib/grid.wgsl?raw';
import source from '../../shaders/batch_norm.wgsl?raw';
import { elements } from './launch';

const kernel = (entry: string): Kernel => new Kernel(entry, [grid, source], entry);
const KERNELS = {
  partial: kernel('batch_norm_partial'),
  merge: kernel('batch_norm_merge'),
  running: kernel('batch_norm_running'),
  apply: kernel('batch_norm_apply'),
  backwardPartial: kernel('batch_norm_backward_partial'),
  backwardMerge: kernel('batch_norm_backward_merge'),
  backwardBatch: kernel('batch_norm_backward_batch'),
  backwardRunning: kernel('batch_norm_backward_running'),
  affine: kernel('batch_norm_affine'),
};

/** Rows that one invocation goes through: enough chunks to fill a GPU, few enough to merge serially. */
const CHUNK = 128;

function sizes(x: readonly number[], eps = 0, momentum = 0, update = false): Record<string, number> {
  const channels = x[x.length - 1];
  const rows = x.reduce((a, b) => a * b, 1) / Math.max(1, channels);
  const chunk = Math.max(CHUNK, Math.ceil(rows / 512));
  return { rows, channels, chunk, chunks: Math.ceil(rows / chunk), eps, momentum, update: update ? 1 : 0 };
}

export interface RunningStatistics {
  readonly mean: Tensor;
  readonly var: Tensor;
}

/**
 * Mean and 1 / sqrt(variance + eps) of each channel over the batch, [2, C]. With `running` given, moves those
 * statistics by `momentum` (the variance by its unbiased estimate).
 * @throws ShapeError for one row, whose variance says nothing (as PyTorch does).
 */
export function batchStatistics(x: Tensor, eps: number, update?: { running: RunningStatistics; momentum: number }): Tensor {
  const { gpu } = x;
  const params = sizes(x.shape, eps, update?.momentum, update !== undefined);
  if (params.rows < 2) {
    throw new ShapeError(`batch_norm: more than one value per channel is needed to normalise by the batch, got ${formatShape(x.shape)}; use a larger batch, or hold the statistics (eval mode)`);
  }
  const { channels, chunks } = params;
  const partial = Tensor.empty(gpu, [2, chunks, channels]);
  gpu.dispatch(KERNELS.partial, { x: x.storage, out: partial.storage }, params, elements(chunks * channels));
  const stats = Tensor.empty(gpu, [2, channels]);
  // Bindings must be there even when the statistics are held; nothing is written to them then.
  const mean = update?.running.mean ?? Tensor.empty(gpu, [channels]);
  const variance = update?.running.var ?? Tensor.empty(gpu, [channels]);
  gpu.dispatch(
    KERNELS.merge,
    { partial: partial.storage, running_mean: mean.storage, running_var: variance.storage, out: stats.storage },
    params,
    elements(channels),
  );
  partial.dispose();
  return stats;
}

/** The same two rows from running statistics. */
export function runningStatistics(running: RunningStatistics, eps: number): Tensor {
  const { gpu, shape } = running.mean;
  const stats = Tensor.empty(gpu, [2, shape[0]]);
  gpu.dispatch(
    KERNELS.running,
    { running_mean: running.mean.storage, running_var: running.var.storage, out: stats.storage },
    sizes(shape, eps),
    elements(shape[0]),
  );
  return stats;
}

/** `(x - mean) * invstd * weight + bias`. */
export function normalise(x: Tensor, stats: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const channels = x.shape[x.shape.length - 1];
  for (const [name, t] of Object.entries({ weight, bias })) {
    if (t.size !== channels) throw new ShapeError(`batch_norm: ${name} ${formatShape(t.shape)} does not match the ${channels} channels of ${formatShape(x.shape)}`);
  }
  const out = Tensor.empty(x.gpu, x.shape);
  const bindings = { x: x.storage, stats: stats.storage, weight: weight.storage, bias: bias.storage, out: out.storage };
  x.gpu.dispatch(KERNELS.apply, bindings, sizes(x.shape), elements(x.size));
  return out;
}

/** Sums of dy (the bias's gradient) and of dy * xhat (the weight's), [2, C]. */
export function normaliseSums(x: Tensor, dy: Tensor, stats: Tensor): Tensor {
  const { gpu } = x;
  const params = sizes(x.shape);
  const { channels, chunks } = params;
  const partial = Tensor.empty(gpu, [2, chunks, channels]);
  gpu.dispatch(
    KERNELS.backwardPartial,
    { x: x.storage, dy: dy.storage, stats: stats.storage, out: partial.storage },
    params,
    elements(chunks * channels),
  );
  const sums = Tensor.empty(gpu, [2, channels]);
  gpu.dispatch(KERNELS.backwardMerge, { partial: partial.storage, out: sums.storage }, params, elements(2 * channels));
  partial.dispose();
  return sums;
}

/** Gradient of the input. With `sums` the statistics came from this batch; without, they are constants. */
export function normaliseBackward(x: Tensor, dy: Tensor, stats: Tensor, weight: Tensor, sums: Tensor | undefined): Tensor {
  const dx = Tensor.empty(dy.gpu, dy.shape);
  const bindings = { dy: dy.storage, stats: stats.storage, weight: weight.storage, out: dx.storage };
  const params = sizes(dy.shape);
  if (sums) dy.gpu.dispatch(KERNELS.backwardBatch, { ...bindings, x: x.storage, sums: sums.storage }, params, elements(dy.size));
  else dy.gpu.dispatch(KERNELS.backwardRunning, bindings, params, elements(dy.size));
  return dx;
}

/** The normalisation by running statistics as `x * scale + bias`, both [C]: what an epilogue (epilogue.ts) does. */
export function runningAffine(running: RunningStatistics, weight: Tensor, bias: Tensor, eps: number): { scale: Tensor; bias: Tensor } {
  const { gpu, shape } = weight;
  const made = { scale: Tensor.empty(gpu, shape), bias: Tensor.empty(gpu, shape) };
  gpu.dispatch(
    KERNELS.affine,
    {
      running_mean: running.mean.storage,
      running_var: running.var.storage,
      weight: weight.storage,
      bias: bias.storage,
      out: made.scale.storage,
      shift_out: made.bias.storage,
    },
    sizes(shape, eps),
    elements(shape[0]),
  );
  return made;
}
