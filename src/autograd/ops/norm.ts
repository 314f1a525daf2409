/** Batch and layer normalisation. */
import {
  batchStatistics, normalise, normaliseBackward, normaliseSums, runningStatistics, type RunningStatistics,
} from '../../kernels/batchNorm';
import { narrow } from '../../kernels/copy';
import { layerNorm as layerNormKernel, layerNormBackward } from '../../kernels/layerNorm';
import { sum } from '../../kernels/reduce';
import type { Tensor } from '../../tensor';
import { defineOp } from '../op';

export type { RunningStatistics } from '../../kernels/batchNorm';

export interface BatchNormOptions {
  /** Needed to normalise by it or to update it. */
  readonly running: RunningStatistics | undefined;
  /** `batch` takes statistics from x, `running` from the running ones. */
  readonly normaliseBy: 'batch' | 'running';
  /** Move the running statistics towards the batch's. Only with `batch`. */
  readonly update: boolean;
  readonly momentum: number;
  readonly eps: number;
}

const batchNormOp = defineOp<readonly [Tensor, Tensor, Tensor], [BatchNormOptions]>('batch_norm', {
  forward(context, [x, weight, bias], { running, normaliseBy, update, momentum, eps }) {
    const stats =
      normaliseBy === 'running' && running
        ? runningStatistics(running, eps)
        : batchStatistics(x, eps, update && running ? { running, momentum } : undefined);
    context.save(stats);
    return normalise(x, stats, weight, bias);
  },
  backward(context, dy, [x, weight], { normaliseBy }) {
    const [stats] = context.saved;
    const channels = weight.size;
    const affine = context.needs(1) || context.needs(2);
    const sums = normaliseBy === 'batch' || affine ? normaliseSums(x, dy, stats) : undefined;
    return [
      context.needs(0) ? normaliseBackward(x, dy, stats, weight, normaliseBy === 'batch' ? sums : undefined) : null,
      context.needs(1) && sums ? narrow(sums, 0, 1, 1).view([channels]) : null,
      context.needs(2) && sums ? narrow(sums, 0, 0, 1).view([channels]) : null,
    ];
  },
});

/** Batch normalisation of [..., C] (Ioffe and Szegedy, 2015). */
export function batchNorm(x: Tensor, weight: Tensor, bias: Tensor, options: BatchNormOptions): Tensor {
  return batchNormOp([x, weight, bias], options);
}

const layerNormOp = defineOp<readonly [Tensor, Tensor, Tensor], [number]>('layer_norm', {
  forward: (_, [x, weight, bias], eps) => layerNormKernel(x, weight, bias, eps),
  backward(context, dy, [x, weight], eps) {
    const { dx, xhatDy } = layerNormBackward(x, dy, weight, eps);
    const lead = x.shape.slice(0, -1).map((__, i) => i);
    return [
      context.needs(0) ? dx : null,
      context.needs(1) ? sum(xhatDy, lead) : null,
      context.needs(2) ? sum(dy, lead) : null,
    ];
  },
});

/** Layer normalisation over the last axis (Ba, Kiros and Hinton, 2016). */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps = 1e-5): Tensor {
  return layerNormOp([x, weight, bias], eps);
}
