/** Matrix products. */
import { ShapeError, formatShape } from '../../errors';
import { matmul as matmulKernel } from '../../kernels/matmul/matmul';
import { sum } from '../../kernels/reduce';
import { sizeOf } from '../../hostTensor';
import type { Tensor } from '../../tensor';
import { defineOp } from '../op';
import { reshape } from './shape';

const matmulOp = defineOp<readonly [Tensor, Tensor], []>('matmul', {
  half: 'forward',
  forward: (_, [a, b]) => matmulKernel(a, b),
  backward: (context, dy, [a, b]) => [
    context.needs(0) ? matmulKernel(dy, b, { transposeB: true }) : null,
    context.needs(1) ? matmulKernel(a, dy, { transposeA: true }) : null,
  ],
});

/** `a @ b` over the last two axes; leading axes must be equal. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  return matmulOp([a, b]);
}

const linearOp = defineOp<readonly [Tensor, Tensor, Tensor | undefined], []>('linear', {
  half: 'forward',
  forward: (_, [x, weight, bias]) => matmulKernel(x, weight, { transposeB: true, bias }),
  backward: (context, dy, [x, weight]) => [
    context.needs(0) ? matmulKernel(dy, weight) : null,
    context.needs(1) ? matmulKernel(dy, x, { transposeA: true }) : null,
    context.needs(2) ? sum(dy, [0]) : null,
  ],
});

/** `x @ weight^T + bias` for x [..., in], weight [out, in], bias [out]. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [out, features] = weight.shape;
  if (weight.shape.length !== 2 || x.shape.at(-1) !== features || (bias && bias.size !== out)) {
    throw new ShapeError(`linear: input ${formatShape(x.shape)} and weight ${formatShape(weight.shape)} [out, in]${bias ? ` and bias ${formatShape(bias.shape)}` : ''} do not fit: the input's last axis must be 'in'`);
  }
  const lead = x.shape.slice(0, -1);
  if (lead.length === 1) return linearOp([x, weight, bias]);
  const flat = reshape(x, [sizeOf(lead), features]);
  return reshape(linearOp([flat, weight, bias]), [...lead, out]);
}
