/** Ops that move, convert or add up elements: flatten, cast, concatenation, sums and means over axes. */
import { concat, narrow } from '../../kernels/copy';
import { expand } from '../../kernels/binary';
import { cast as castKernel } from '../../kernels/cast';
import { axisOf } from '../../kernels/launch';
import { mean as meanKernel, sum as sumKernel } from '../../kernels/reduce';
import { sizeOf } from '../../hostTensor';
import type { FloatDtype, Tensor } from '../../tensor';
import { defineOp } from '../op';

const reshapeOp = defineOp<readonly [Tensor], [readonly number[]]>('reshape', {
  half: 'both',
  forward: (_, [x], shape) => x.view(shape),
  backward: (_, dy, [x]) => [dy.view(x.shape)],
});

/** The same elements, in the engine's order, under another shape. No copy. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  return reshapeOp([x], shape);
}

/** Joins axes from `startDim` on: [N, H, W, C] becomes [N, H * W * C]. (In NHWC order, unlike PyTorch, unless H = W = 1.) */
export function flatten(x: Tensor, startDim = 1): Tensor {
  const first = axisOf('flatten', startDim, x.shape.length);
  return reshape(x, [...x.shape.slice(0, first), sizeOf(x.shape.slice(first))]);
}

const castOp = defineOp<readonly [Tensor], [FloatDtype]>('cast', {
  half: 'both',
  forward: (_, [x], dtype) => castKernel(x, dtype),
  backward: (_, dy, [x]) => [castKernel(dy, x.dtype === 'f16' ? 'f16' : 'f32')],
});

/** The same numbers as `dtype`: `x` itself when it has that type. f16 rounds; what is past 65504 becomes infinite. */
export function cast(x: Tensor, dtype: FloatDtype): Tensor {
  return x.dtype === dtype ? x : castOp([x], dtype);
}

const catOp = defineOp<readonly Tensor[], [number]>('cat', {
  forward: (_, tensors, dim) => concat(tensors, dim),
  backward(context, dy, tensors, dim) {
    const axis = axisOf('cat', dim, dy.shape.length);
    let start = 0;
    return tensors.map((tensor, i) => {
      const extent = tensor.shape[axis];
      start += extent;
      return context.needs(i) ? narrow(dy, axis, start - extent, extent) : null;
    });
  },
});

/** Joins tensors along an axis. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return catOp(tensors, dim);
}

interface Reduction {
  readonly axes: readonly number[];
  readonly keepdim: boolean;
}

/** The gradient of a sum: dy repeated along the reduced axes, times `factor`. */
function spread(dy: Tensor, x: Tensor, axes: readonly number[], factor: number): Tensor {
  const kept = x.shape.map((extent, i) => (axes.includes(i) ? 1 : extent));
  return expand(dy.view(kept), x.shape, factor);
}

const sumOp = defineOp<readonly [Tensor], [Reduction]>('sum', {
  forward: (_, [x], { axes, keepdim }) => sumKernel(x, axes, { keepdim }),
  backward: (_, dy, [x], { axes }) => [spread(dy, x, axes, 1)],
});

const meanOp = defineOp<readonly [Tensor], [Reduction]>('mean', {
  forward: (_, [x], { axes, keepdim }) => meanKernel(x, axes, keepdim),
  backward: (_, dy, [x], { axes }) => [spread(dy, x, axes, 1 / sizeOf(axes.map((axis) => x.shape[axis])))],
});

function reduction(op: string, x: Tensor, dim: readonly number[] | undefined, keepdim: boolean): Reduction {
  const axes = (dim ?? x.shape.map((_, i) => i)).map((axis) => axisOf(op, axis, x.shape.length));
  return { axes: [...new Set(axes)], keepdim };
}

/** Sum over axes `dim`, all of them when left out. */
export function sum(x: Tensor, dim?: readonly number[], keepdim = false): Tensor {
  return sumOp([x], reduction('sum', x, dim, keepdim));
}

/** Mean over axes `dim`, all of them when left out. */
export function mean(x: Tensor, dim?: readonly number[], keepdim = false): Tensor {
  return meanOp([x], reduction('mean', x, dim, keepdim));
}
