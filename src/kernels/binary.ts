/** Addition and multiplication with NumPy's broadcasting. */
import { ShapeError, formatShape } from '../errors';
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import narrow from '../../shaders/lib/narrow.wgsl?raw';
import span from '../../shaders/lib/span.wgsl?raw';
import wide from '../../shaders/lib/wide.wgsl?raw';
import source from '../../shaders/binary.wgsl?raw';
import { elements, fours, sameShape, strided } from './launch';

const KERNELS = {
  same: new Kernel('binary same', [wide, span, source], 'same'),
  number: new Kernel('binary number', [wide, span, source], 'number'),
  repeat: new Kernel('binary repeat', [wide, span, source], 'repeat'),
  repeatNarrow: new Kernel('binary repeat (narrow)', [narrow, span, source], 'repeat'),
  broadcast: new Kernel('binary broadcast', [narrow, span, source], 'broadcast'),
  expand: new Kernel('expand', [narrow, span, source], 'expand'),
};

const MAX_AXES = 6;

/** Elements of a repeated side that a grid's first dimension takes. */
const MOST_REPEATED = 2 ** 21;

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

/** `factor * x` repeated to `shape`, along axes where `x` has 1 or none. The gradient of a sum. */
export function expand(x: Tensor, shape: readonly number[], factor: number): Tensor {
  if (!sameShape(broadcastShape('expand', x.shape, shape), shape)) throw new ShapeError(`expand: ${formatShape(x.shape)} does not repeat to ${formatShape(shape)}`);
  const out = Tensor.empty(x.gpu, shape);
  const params = { size: out.size, period: 1, rows: 1, multiply: 0, factor, ...axes(shape, x.shape, x.shape) };
  x.gpu.dispatch(KERNELS.expand, { a: x.storage, out: out.storage }, params, strided(x.gpu, out.size));
  return out;
}

function binary(op: 'add' | 'mul', a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShape(op, a.shape, b.shape);
  const { gpu } = a;
  const out = Tensor.empty(gpu, shape);
  const bindings = { a: a.storage, b: b.storage, out: out.storage };
  const params = { size: fours(out), period: 1, rows: 1, multiply: op === 'mul' ? 1 : 0, factor: 1, ...axes(shape, a.shape, b.shape) };
  if (sameShape(a.shape, b.shape)) gpu.dispatch(KERNELS.same, bindings, params, strided(gpu, fours(out)));
  else if (sameShape(a.shape, shape) && b.size === 1) gpu.dispatch(KERNELS.number, bindings, params, strided(gpu, fours(out)));
  else if (sameShape(a.shape, shape) && b.size <= MOST_REPEATED && repeats(b.shape, shape)) {
    const width = b.size % 4 === 0 ? 4 : 1;
    const [size, period] = [out.size / width, b.size / width];
    const rows = Math.max(1, Math.min(Math.ceil((gpu.adapter.software ? 4096 : 2 ** 20) / period), size / period));
    gpu.dispatch(width === 4 ? KERNELS.repeat : KERNELS.repeatNarrow, bindings, { ...params, size, period, rows }, elements(rows * period));
  } else gpu.dispatch(KERNELS.broadcast, bindings, { ...params, size: out.size }, strided(gpu, out.size));
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
