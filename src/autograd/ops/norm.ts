/** Batch and layer normalisation. */
import { batchStatistics, normalise, normaliseBackward, runningStatistics, type RunningStatistics } from '../../kernels/batchNorm';
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

/** What follows the normalisation in the same op. */
export interface BatchNormFollow {
  /** Added after the normalisation, before the activation; the output's shape. */
  readonly residual?: Tensor;
  /** Default false. */
  readonly relu?: boolean;
}

const batchNormOp = defineOp<readonly [Tensor, Tensor, Tensor, Tensor | undefined], [BatchNormOptions, boolean]>('batch_norm', {
  addsGradients: true,
  forward(context, [x, weight, bias, residual], { running, normaliseBy, update, momentum, eps }, relu) {
    const stats =
      normaliseBy === 'running' && running
        ? runningStatistics(running, weight, bias, eps)
        : batchStatistics(x, weight, bias, eps, update && running ? { running, momentum } : undefined);
    const out = normalise(x, stats, { residual, relu });
    context.save(stats, out);
    if (!context.recording) stats.dispose();
    return out;
  },
  backward(context, dy, [x, , , residual], { normaliseBy }, relu) {
    const [stats, output] = context.saved;
    const [wantsX, wantsWeight, wantsBias, wantsResidual] = [0, 1, 2, 3].map((i) => context.needs(i));
    const gradients = normaliseBackward({
      x, stats, dy, moreDy: context.moreDy, relu,
      output: relu && residual ? output : undefined,
      byBatch: normaliseBy === 'batch',
      wanted: { x: wantsX, affine: wantsWeight || wantsBias, residual: wantsResidual },
    });
    return [
      gradients.x ?? null,
      wantsWeight ? (gradients.weight ?? null) : null,
      wantsBias ? (gradients.bias ?? null) : null,
      gradients.residual ?? null,
    ];
  },
});

/** Batch normalisation of [..., C] (Ioffe and Szegedy, 2015), with the sum and the ReLU that follow it in a residual network. */
export function batchNorm(x: Tensor, weight: Tensor, bias: Tensor, options: BatchNormOptions, { residual, relu = false }: BatchNormFollow = {}): Tensor {
  return batchNormOp([x, weight, bias, residual], options, relu);
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
