/** Softmax and losses. */
import { mul } from '../../kernels/binary';
import { crossEntropy as crossEntropyKernel } from '../../kernels/crossEntropy';
import { mse, mseBackward } from '../../kernels/mse';
import { softmax as softmaxKernel, softmaxBackward, type SoftmaxName } from '../../kernels/softmax';
import type { Tensor } from '../../tensor';
import { defineOp } from '../op';

function defineSoftmax(name: SoftmaxName): (x: Tensor, dim?: number) => Tensor {
  const op = defineOp<readonly [Tensor], [number]>(name, {
    forward(context, [x], dim) {
      const y = softmaxKernel(name, x, dim);
      context.save(y);
      return y;
    },
    backward: ({ saved }, dy, _, dim) => [softmaxBackward(name, saved[0], dy, dim)],
  });
  return (x, dim = -1) => op([x], dim);
}

/** `exp(x) / sum(exp(x))` along `dim` (default: the last axis). */
export const softmax = defineSoftmax('softmax');
/** `x - log(sum(exp(x)))` along `dim` (default: the last axis). */
export const logSoftmax = defineSoftmax('log_softmax');

const crossEntropyOp = defineOp<readonly [Tensor], [Tensor, number]>('cross_entropy', {
  forward(context, [x], target, smoothing) {
    const { loss, dx } = crossEntropyKernel(x, target, smoothing, context.recording);
    if (dx) context.save(dx);
    return loss;
  },
  backward: ({ saved }, dy) => [mul(saved[0], dy)],
  fromOne: ({ saved }) => [saved[0]],
});

/** Mean cross entropy of logits [N, C] with class indices [N] (i32), with optional label smoothing. */
export function crossEntropy(x: Tensor, target: Tensor, options: { labelSmoothing?: number } = {}): Tensor {
  return crossEntropyOp([x], target, options.labelSmoothing ?? 0);
}

const mseOp = defineOp<readonly [Tensor, Tensor], []>('mse_loss', {
  forward: (_, [x, target]) => mse(x, target),
  backward: (context, dy, [x, target]) => [
    context.needs(0) ? mseBackward(x, target, dy, 1) : null,
    context.needs(1) ? mseBackward(x, target, dy, -1) : null,
  ],
});

/** Mean squared error. */
export function mseLoss(x: Tensor, target: Tensor): Tensor {
  return mseOp([x, target]);
}
