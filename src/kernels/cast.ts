/** Between f32 and f16, and what the other kernels need to know of element types. */
import { DtypeError } from '../errors';
import { Kernel } from '../gpu/kernel';
import { Tensor, type FloatDtype } from '../tensor';
import source from '../../shaders/cast.wgsl?raw';
import grid from '../../shaders/lib/grid.wgsl?raw';
import half from '../../shaders/lib/half.wgsl?raw';
import { elements } from './launch';

const kernel = new Kernel('cast', [half, grid, source], 'cast_elements');

/** The same numbers in another type: `x` itself when it has it. f16 rounds; what is past 65504 becomes infinite. */
export function cast(x: Tensor, dtype: FloatDtype): Tensor {
  if (x.dtype === dtype) return x;
  if (x.dtype === 'i32') throw new DtypeError(`cast: takes real numbers, got i32; upload them as a Float32Array for ${dtype}`);
  const out = Tensor.empty(x.gpu, x.shape, dtype);
  const quads = Math.ceil(x.size / 4);
  const variant = kernel.variant({ spec: { From: columnType(4, x.dtype), To: columnType(4, dtype) } });
  x.gpu.dispatch(variant, { x: x.storage, out: out.storage }, { quads }, elements(quads));
  return out;
}

/** The type of a tensor that is known to hold real numbers, as ops see to. */
export function floatOf({ dtype }: Tensor): FloatDtype {
  return dtype === 'f16' ? 'f16' : 'f32';
}

/** The WGSL type of `width` neighbouring elements in memory. */
export function columnType(width: 1 | 4, dtype: FloatDtype): string {
  if (width === 1) return dtype;
  return dtype === 'f16' ? 'vec4h' : 'vec4f';
}

/**
 * The type in which an operation on these tensors keeps its elements; absent ones do not count.
 * @throws DtypeError naming the operation and what it got when they are not all of one type of real numbers.
 */
export function commonDtype(op: string, tensors: Readonly<Record<string, Tensor | undefined>>): FloatDtype {
  const given = Object.entries(tensors).flatMap(([name, tensor]) => (tensor ? [{ name, dtype: tensor.dtype }] : []));
  const { dtype } = given[0];
  if (dtype !== 'i32' && given.every((other) => other.dtype === dtype)) return dtype;
  const got = given.map(({ name, dtype: type }) => `${name} ${type}`).join(', ');
  throw new DtypeError(`${op}: its operands must all be f32 or all f16, got ${got}; use cast(x, 'f32') or cast(x, 'f16')`);
}
