/** Pooling of NHWC images. */
import {
  adaptiveAvgPool, adaptiveAvgPoolBackward, avgPool, avgPoolBackward, maxPool, maxPoolBackward, type PoolOptions,
} from '../../kernels/pool';
import type { Tensor } from '../../tensor';
import { defineOp } from '../op';

export type { PoolOptions } from '../../kernels/pool';

const maxPoolOp = defineOp<readonly [Tensor], [PoolOptions]>('max_pool2d', {
  half: 'both',
  forward(context, [x], options) {
    const { out, indices } = maxPool(x, options, context.recording);
    if (indices) context.save(indices);
    return out;
  },
  backward: ({ saved }, dy, [x], options) => [maxPoolBackward(dy, saved[0], x.shape, options)],
});

/** Maximum over windows. */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  return maxPoolOp([x], options);
}

const avgPoolOp = defineOp<readonly [Tensor], [PoolOptions]>('avg_pool2d', {
  half: 'both',
  forward: (_, [x], options) => avgPool(x, options),
  backward: (_, dy, [x], options) => [avgPoolBackward(dy, x.shape, options)],
});

/** Mean over windows. */
export function avgPool2d(x: Tensor, options: PoolOptions): Tensor {
  return avgPoolOp([x], options);
}

const adaptiveOp = defineOp<readonly [Tensor], [readonly [number, number]]>('adaptive_avg_pool2d', {
  half: 'both',
  forward: (_, [x], size) => adaptiveAvgPool(x, size),
  backward: (_, dy, [x]) => [adaptiveAvgPoolBackward(dy, x.shape)],
});

/** Mean over regions, to a given output size. */
export function adaptiveAvgPool2d(x: Tensor, outputSize: readonly [number, number]): Tensor {
  return adaptiveOp([x], outputSize);
}
