/** The operations of docs/fixtures.md, a row each: tensor arguments with their layouts, and the call. */
import { conv2d } from '../autograd/ops/conv';
import { add, gelu, mul, relu, sigmoid, tanh } from '../autograd/ops/elementwise';
import { linear, matmul } from '../autograd/ops/linear';
import { crossEntropy, logSoftmax, mseLoss, softmax } from '../autograd/ops/loss';
import { batchNorm, layerNorm } from '../autograd/ops/norm';
import { adaptiveAvgPool2d, avgPool2d, maxPool2d, type PoolOptions } from '../autograd/ops/pool';
import { mean } from '../autograd/ops/shape';
import { WeightsError, formatShape } from '../errors';
import { fill } from '../kernels/copy';
import type { Tensor } from '../tensor';
import type { Args } from './args';

/**
 * How a tensor lies in the fixture. `image`: [N, C, H, W]; `conv`: [out, in, kh, kw]; `channels`: [N, C, ...], any
 * number of axes after the channels; `plain`: as it is; `indices`: class indices, I64.
 */
export type FixtureLayout = 'plain' | 'image' | 'conv' | 'channels' | 'indices';

export interface Op {
  readonly tensors: Readonly<Record<string, FixtureLayout>>;
  readonly optional: Readonly<Record<string, FixtureLayout>>;
  /** Arguments that are never differentiated. */
  readonly constant: readonly string[];
  readonly output: FixtureLayout;
  /** Arguments that a call in training changes; the fixture then holds them as `<name>_after`. */
  readonly changes: readonly string[];
  readonly run: (given: Readonly<Record<string, Tensor>>, args: Args) => Tensor;
}

/** One row. The call gets its tensors typed by name: required ones are there, optional ones may not be. */
function op<R extends string, O extends string = never>(row: {
  tensors: Readonly<Record<R, FixtureLayout>>;
  optional?: Readonly<Record<O, FixtureLayout>>;
  constant?: readonly NoInfer<R | O>[];
  output?: FixtureLayout;
  changes?: readonly NoInfer<R | O>[];
  run: (given: Readonly<Record<R, Tensor> & Partial<Record<O, Tensor>>>, args: Args) => Tensor;
}): Op {
  return {
    constant: [], output: 'plain', changes: [], ...row, optional: row.optional ?? {},
    run: (given, args) => row.run(given as Record<R, Tensor> & Partial<Record<O, Tensor>>, args),
  };
}

const unary = (run: (x: Tensor) => Tensor): Op => op({ tensors: { input: 'plain' }, run: ({ input }) => run(input) });
const binary = (run: (a: Tensor, b: Tensor) => Tensor): Op =>
  op({ tensors: { input: 'plain', other: 'plain' }, run: ({ input, other }) => run(input, other) });
const alongDim = (run: (x: Tensor, dim: number) => Tensor): Op =>
  op({ tensors: { input: 'plain' }, run: ({ input }, args) => run(input, args.integer('dim')) });

/** An argument that was left out takes the default of `torch.nn.functional`, where that has one. */
export const OPS: Readonly<Record<string, Op>> = {
  conv2d: op({
    tensors: { input: 'image', weight: 'conv' },
    optional: { bias: 'plain' },
    output: 'image',
    run: ({ input, weight, bias }, args) =>
      conv2d(input, weight, bias, {
        stride: args.pair('stride', [1, 1]), padding: args.pair('padding', [0, 0]),
        dilation: args.pair('dilation', [1, 1]), groups: args.integer('groups', 1),
      }),
  }),
  linear: op({
    tensors: { input: 'plain', weight: 'plain' },
    optional: { bias: 'plain' },
    run: ({ input, weight, bias }) => linear(input, weight, bias),
  }),
  matmul: binary(matmul),
  max_pool2d: op({
    tensors: { input: 'image' },
    output: 'image',
    run: ({ input }, args) => maxPool2d(input, { ...windowOf(args), ceilMode: args.boolean('ceil_mode', false) }),
  }),
  avg_pool2d: op({
    tensors: { input: 'image' },
    output: 'image',
    run: ({ input }, args) =>
      avgPool2d(input, {
        ...windowOf(args), ceilMode: args.boolean('ceil_mode', false), countIncludePad: args.boolean('count_include_pad', true),
      }),
  }),
  adaptive_avg_pool2d: op({
    tensors: { input: 'image' },
    output: 'image',
    run: ({ input }, args) => adaptiveAvgPool2d(input, args.pair('output_size')),
  }),
  batch_norm: op({
    tensors: { input: 'channels' },
    optional: { weight: 'plain', bias: 'plain', running_mean: 'plain', running_var: 'plain', residual: 'channels' },
    constant: ['running_mean', 'running_var'],
    changes: ['running_mean', 'running_var'],
    output: 'channels',
    run: ({ input, weight, bias, running_mean, running_var, residual }, args) => {
      const training = args.boolean('training', false);
      const running = running_mean && running_var ? { mean: running_mean, var: running_var } : undefined;
      if (!running && (!training || running_mean || running_var)) throw new WeightsError("tensors 'running_mean' and 'running_var' must both be there");
      const [momentum, eps] = [args.number('momentum', 0.1), args.number('eps', 1e-5)];
      const channels = input.shape[input.shape.length - 1];
      for (const [name, tensor] of Object.entries({ running_mean, running_var })) {
        if (tensor && tensor.size !== channels) throw new WeightsError(`${name} ${formatShape(tensor.shape)} does not match the ${channels} channels of the input`);
      }
      return batchNorm(input, weight ?? fill(input.gpu, [channels], 1), bias ?? fill(input.gpu, [channels], 0), {
        running, normaliseBy: training ? 'batch' : 'running', update: training, momentum, eps,
      }, { residual, relu: args.boolean('relu', false) });
    },
  }),
  layer_norm: op({
    tensors: { input: 'plain' },
    optional: { weight: 'plain', bias: 'plain' },
    run: ({ input, weight, bias }, args) => {
      const features = input.shape.slice(-1);
      return layerNorm(input, weight ?? fill(input.gpu, features, 1), bias ?? fill(input.gpu, features, 0), args.number('eps', 1e-5));
    },
  }),
  relu: unary(relu),
  sigmoid: unary(sigmoid),
  tanh: unary(tanh),
  gelu: unary(gelu),
  add: binary(add),
  mul: binary(mul),
  softmax: alongDim(softmax),
  log_softmax: alongDim(logSoftmax),
  cross_entropy: op({
    tensors: { input: 'plain', target: 'indices' },
    constant: ['target'],
    run: ({ input, target }, args) => crossEntropy(input, target, { labelSmoothing: args.number('label_smoothing', 0) }),
  }),
  mse_loss: op({ tensors: { input: 'plain', target: 'plain' }, run: ({ input, target }) => mseLoss(input, target) }),
  mean: op({
    tensors: { input: 'plain' },
    run: ({ input }, args) => {
      // As in PyTorch, no dimension means all of them.
      const dim = args.integers('dim', []);
      return mean(input, dim.length === 0 ? undefined : dim, args.boolean('keepdim', false));
    },
  }),
};

function windowOf(args: Args): Pick<PoolOptions, 'kernelSize' | 'stride' | 'padding'> {
  const kernelSize = args.pair('kernel_size');
  return { kernelSize, stride: args.pair('stride', kernelSize), padding: args.pair('padding', [0, 0]) };
}
