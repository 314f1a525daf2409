/** What every kernel launcher needs: grids folded to the adapter's limit, and checks of shapes. */
import { ShapeError, formatShape } from '../errors';
import type { Gpu, Workgroups } from '../gpu/gpu';
import type { Tensor } from '../tensor';

/** Workgroups along x that fold over y stay below every adapter's limit of 65535 a dimension. */
const FOLD = 32768;

/** A grid for `count` workgroups whose shader finds its place with `flat_index` (shaders/lib/grid.wgsl). */
export function fold(count: number): Workgroups {
  return count <= FOLD ? [count] : [FOLD, Math.ceil(count / FOLD)];
}

/** A folded grid with one invocation an element, `size` to a workgroup. */
export function elements(count: number, size = 64): Workgroups {
  return fold(Math.ceil(count / size));
}

/**
 * A grid along x for a shader that shares `count` items out over its invocations (shaders/lib/span.wgsl, or with the
 * stride of the grid). A CPU adapter gets few workgroups, each of which costs it; a GPU one invocation an item, as far as
 * a dimension goes.
 */
export function strided(gpu: Gpu, count: number, size = 64): Workgroups {
  return [Math.min(Math.ceil(count / size), gpu.adapter.software ? 64 : FOLD)];
}

/** Whole fours of a tensor's elements. Storages end on one, so kernels that give each element its own result may take fours. */
export function fours(tensor: Tensor): number {
  return Math.ceil(tensor.size / 4);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** Throws unless `x` has `rank` axes. `axes` names them for the message: `[N, H, W, C]`. */
export function assertRank(op: string, what: string, x: Tensor, rank: number, axes: string): void {
  if (x.shape.length !== rank) throw new ShapeError(`${op}: ${what} must be ${axes}, got ${formatShape(x.shape)}`);
}

/** A negative axis counts from the end. */
export function axisOf(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ShapeError(`${op}: axis ${axis} does not exist in a tensor of ${rank} axes; use ${-rank} to ${rank - 1}`);
  }
  return axis < 0 ? axis + rank : axis;
}
