/** Addition and multiplication with NumPy's broadcasting. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import grid from '../../shaders/lib/grid.wgsl?raw';
import source from '../../shaders/binary.wgsl?raw';
import { elements, sameShape } from './launch';

const [same, repeat, broadcast] = ['same', 'repeat', 'broadcast'].map(
  (entry) => new Kernel(`binary ${entry}`, [grid, source], entry),
);

const MAX_AXES = 6;

/** The shape two tensors broadcast to. @throws ShapeError when an axis differs and neither side is 1. */
function broadcastShape(op: string, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError(`${op}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: axis ${i - rank} has ${x} and ${y}, and neither is 1`);
    }
    shape.push(x === 1 ? y : x);
  }
  if (rank > MAX_AXES) throw new ShapeError(`${op}: ${rank} axes, at most ${MAX_AXES} are supported; flatten some`);
  return shape;
}

/** `a + b`. */
export function add(a: Tensor, b: Tensor): Tensor {
  return binary('add', a, b);
}

/** `a * b`. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return binary('mul', a, b);
}

function binary(op: 'add' | 'mul', a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShape(op, a.shape, b.shape);
  const out = Tensor.empty(a.gpu, shape);
  const multiply = op === 'mul' ? 1 : 0;
  const size = out.size;
  const bindings = { a: a.storage, b: b.storage, out: out.storage };
  const params = { size, period: b.size, multiply, ...axes(shape, a.shape, b.shape) };
  const direct = sameShape(a.shape, b.shape) ? same : sameShape(a.shape, shape) && repeats(b.shape, shape) ? repeat : broadcast;
  a.gpu.dispatch(direct, bindings, params, elements(size));
  return out;
}

/** True when `b`, its leading ones dropped, is the tail of `shape`: then element i meets b[i mod size]. */
function repeats(b: readonly number[], shape: readonly number[]): boolean {
  const first = b.findIndex((extent) => extent !== 1);
  const core = first < 0 ? [] : b.slice(first);
  return sizeOf(b) > 0 && core.every((extent, i) => extent === shape[shape.length - core.length + i]);
}

/** `n0`…`n5`, `a0`…`a5`, `b0`…`b5` of the shader: extents of the result and each side's strides, 0 along repeated axes. */
function axes(shape: readonly number[], a: readonly number[], b: readonly number[]): Record<string, number> {
  const extents = [...Array<number>(MAX_AXES - shape.length).fill(1), ...shape];
  const sides = { n: extents, a: strides(a, shape), b: strides(b, shape) };
  return Object.fromEntries(Object.entries(sides).flatMap(([side, values]) => values.map((value, i) => [`${side}${i}`, value])));
}

function strides(own: readonly number[], shape: readonly number[]): number[] {
  const result = Array<number>(MAX_AXES).fill(0);
  let stride = 1;
  for (let i = 1; i <= own.length; i++) {
    const extent = own[own.length - i];
    result[MAX_AXES - i] = extent === 1 && shape[shape.length - i] !== 1 ? 0 : stride;
    stride *= extent;
  }
  return result;
}
