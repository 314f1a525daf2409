/** Convolution of NHWC images. */
import {
  conv2d as conv2dKernel, conv2dBackwardInput, conv2dBackwardWeight, type ConvOptions,
} from '../../kernels/conv2d/conv2d';
import { sum } from '../../kernels/reduce';
import type { Tensor } from '../../tensor';
import { defineOp } from '../op';

export type { ConvOptions } from '../../kernels/conv2d/conv2d';

export const CONV_DEFAULTS: ConvOptions = { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };

const conv2dOp = defineOp<readonly [Tensor, Tensor, Tensor | undefined], [ConvOptions]>('conv2d', {
  half: 'forward',
  forward: (_, [x, weight, bias], options) => conv2dKernel(x, weight, options, { bias }),
  backward: (context, dy, [x, weight], options) => [
    context.needs(0) ? conv2dBackwardInput(dy, weight, x.shape, options) : null,
    context.needs(1) ? conv2dBackwardWeight(x, dy, weight.shape, options) : null,
    context.needs(2) ? sum(dy, [0, 1, 2]) : null,
  ],
});

/**
 * `torch.nn.functional.conv2d` on x [N, H, W, C] with weight [kh, kw, C / groups, out] and bias [out].
 * Defaults: stride 1, padding 0, dilation 1, one group.
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: Partial<ConvOptions> = {}): Tensor {
  return conv2dOp([x, weight, bias], { ...CONV_DEFAULTS, ...options });
}
