/** Elementwise functions, sums and products. */
import { add as addKernel, mul as mulKernel } from '../../kernels/binary';
import { dropout as dropoutKernel } from '../../kernels/dropout';
import { sum as sumKernel } from '../../kernels/reduce';
import { unary, unaryBackward, unarySaves, type UnaryName } from '../../kernels/unary';
import { sameShape } from '../../kernels/launch';
import { Tensor } from '../../tensor';
import { defineOp } from '../op';

function defineUnary(name: UnaryName): (x: Tensor) => Tensor {
  const op = defineOp<readonly [Tensor], []>(name, {
    forward(context, [x]) {
      const y = unary(name, x);
      context.save(unarySaves(name) === 'input' ? x : y);
      return y;
    },
    backward: ({ saved }, dy) => [unaryBackward(name, saved[0], dy)],
  });
  return (x) => op([x]);
}

/** `max(x, 0)`; a NaN stays a NaN. */
export const relu = defineUnary('relu');
/** `1 / (1 + exp(-x))`. */
export const sigmoid = defineUnary('sigmoid');
/** Hyperbolic tangent. */
export const tanh = defineUnary('tanh');
/** `x Φ(x)`, the exact form with erf. */
export const gelu = defineUnary('gelu');

const addOp = defineOp<readonly [Tensor, Tensor], []>('add', {
  forward: (_, [a, b]) => addKernel(a, b),
  backward: (context, dy, [a, b]) => [
    context.needs(0) ? sumTo(dy, a.shape) : null,
    context.needs(1) ? sumTo(dy, b.shape) : null,
  ],
});

/** `a + b`, with NumPy's broadcasting. */
export function add(a: Tensor, b: Tensor): Tensor {
  return addOp([a, b]);
}

const mulOp = defineOp<readonly [Tensor, Tensor], []>('mul', {
  forward: (_, [a, b]) => mulKernel(a, b),
  backward: (context, dy, [a, b]) => [
    context.needs(0) ? sumTo(mulKernel(dy, b), a.shape) : null,
    context.needs(1) ? sumTo(mulKernel(dy, a), b.shape) : null,
  ],
});

/** `a * b`, with NumPy's broadcasting. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return mulOp([a, b]);
}

/** Adds up the axes along which `shape` was broadcast to `dy`'s. */
function sumTo(dy: Tensor, shape: readonly number[]): Tensor {
  if (sameShape(dy.shape, shape)) return dy;
  const lead = dy.shape.length - shape.length;
  const axes = dy.shape.flatMap((extent, i) => (i < lead || (shape[i - lead] === 1 && extent !== 1) ? [i] : []));
  return (axes.length > 0 ? sumKernel(dy, axes) : dy).view(shape);
}

const dropoutOp = defineOp<readonly [Tensor], [number, () => number]>('dropout', {
  forward(context, [x], p, seed) {
    const held = new Tensor(x.gpu, [1], 'i32', x.gpu.stepValues(4, () => Uint32Array.of(seed())));
    context.save(held);
    return dropoutKernel(x, p, held);
  },
  backward: ({ saved }, dy, _, p) => [dropoutKernel(dy, p, saved[0])],
});

/**
 * Zeroes elements with probability `p`, scaling the rest by `1 / (1 - p)`. The mask is a function of `seed`, a u32.
 * Given as a function it is asked now, and in a captured function before each replay.
 */
export function dropout(x: Tensor, p: number, seed: number | (() => number)): Tensor {
  return p === 0 ? x : dropoutOp([x], p, typeof seed === 'number' ? () => seed : seed);
}
