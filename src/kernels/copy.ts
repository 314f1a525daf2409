/** Constants, scaling, and moving slabs of tensors. */
import { ShapeError, formatShape } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import copySource from '../../shaders/copy.wgsl?raw';
import fillSource from '../../shaders/fill.wgsl?raw';
import narrowLib from '../../shaders/lib/narrow.wgsl?raw';
import span from '../../shaders/lib/span.wgsl?raw';
import wideLib from '../../shaders/lib/wide.wgsl?raw';
import { axisOf, fours, strided } from './launch';

const fillKernel = new Kernel('fill', [span, fillSource], 'fill');
const scaleKernel = new Kernel('scale', [span, fillSource], 'scale');
const slabKernels = { wide: new Kernel('copy_slab', [wideLib, copySource], 'copy_slab'), narrow: new Kernel('copy_slab (narrow)', [narrowLib, copySource], 'copy_slab') };

/** A tensor of one value. */
export function fill(gpu: Gpu, shape: readonly number[], value: number): Tensor {
  const out = Tensor.empty(gpu, shape);
  gpu.dispatch(fillKernel, { out: out.storage }, { size: fours(out), value }, strided(gpu, fours(out)));
  return out;
}

/** The same f32 numbers in memory of their own. */
export function copyOf(x: Tensor): Tensor {
  const out = Tensor.empty(x.gpu, x.shape);
  x.gpu.copy(x.storage, out.storage, 4 * x.size);
  return out;
}

/** `factor * x`. */
export function scale(x: Tensor, factor: number): Tensor {
  const out = Tensor.empty(x.gpu, x.shape);
  x.gpu.dispatch(scaleKernel, { x: x.storage, out: out.storage }, { size: fours(x), value: factor }, strided(x.gpu, fours(x)));
  return out;
}

/** Copies `extent` positions of an axis from `from` into `to`, both seen as [outer, axis, inner]. */
function copySlab(from: Tensor, fromStart: number, to: Tensor, toStart: number, axis: number, extent: number): void {
  const length = sizeOf(from.shape.slice(axis + 1));
  const width = length % 4 === 0 ? 4 : 1;
  const inner = length / width;
  const size = sizeOf(from.shape.slice(0, axis)) * extent * inner;
  from.gpu.dispatch(
    width === 4 ? slabKernels.wide : slabKernels.narrow,
    { source_data: from.storage, target_data: to.storage },
    { size, inner, extent, from_extent: from.shape[axis], from_start: fromStart, to_extent: to.shape[axis], to_start: toStart },
    strided(from.gpu, size),
  );
}

/** Joins tensors along an axis; all other extents must agree. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) throw new ShapeError('cat: needs at least one tensor');
  const [first] = tensors;
  const along = axisOf('cat', axis, first.shape.length);
  for (const { shape } of tensors) {
    if (shape.length !== first.shape.length || shape.some((extent, i) => i !== along && extent !== first.shape[i])) {
      throw new ShapeError(`cat: ${formatShape(shape)} does not match ${formatShape(first.shape)} in all axes but ${along}`);
    }
  }
  const total = tensors.reduce((sum, { shape }) => sum + shape[along], 0);
  const out = Tensor.empty(first.gpu, first.shape.map((extent, i) => (i === along ? total : extent)));
  let start = 0;
  for (const tensor of tensors) {
    copySlab(tensor, 0, out, start, along, tensor.shape[along]);
    start += tensor.shape[along];
  }
  return out;
}

/** Positions `start` to `start + extent` of an axis. */
export function narrow(x: Tensor, axis: number, start: number, extent: number): Tensor {
  const along = axisOf('narrow', axis, x.shape.length);
  if (start < 0 || extent < 0 || start + extent > x.shape[along]) {
    throw new ShapeError(`narrow: positions ${start} to ${start + extent} are outside axis ${along} of ${formatShape(x.shape)}`);
  }
  const out = Tensor.empty(x.gpu, x.shape.map((n, i) => (i === along ? extent : n)));
  copySlab(x, start, out, 0, along, extent);
  return out;
}
