/** Sums and means over axes. */
import { Kernel } from '../gpu/kernel';
import { sizeOf } from '../hostTensor';
import { Tensor } from '../tensor';
import narrow from '../../shaders/lib/narrow.wgsl?raw';
import wide from '../../shaders/lib/wide.wgsl?raw';
import source from '../../shaders/reduce.wgsl?raw';
import { axisOf, strided } from './launch';

const kernels = { wide: new Kernel('reduce_sum', [wide, source], 'reduce_sum'), narrow: new Kernel('reduce_sum (narrow)', [narrow, source], 'reduce_sum') };

/** Positions that one invocation adds up: long enough to be worth a launch, short enough to spread and to keep digits. */
const CHUNK = 128;

export interface ReduceOptions {
  /** Keep reduced axes with extent 1. Default false. */
  readonly keepdim?: boolean;
  /** Multiplies the result. Default 1. */
  readonly factor?: number;
  /** Sum squares instead. Default false. */
  readonly square?: boolean;
  /** Where to write the result, for a sum over axes that lie side by side. Default: a new tensor. */
  readonly out?: Tensor;
}

/** Sum over `axes` (all of them when left out). */
export function sum(x: Tensor, axes?: readonly number[], { keepdim = false, factor = 1, square = false, out }: ReduceOptions = {}): Tensor {
  const rank = x.shape.length;
  const wanted = axes ?? x.shape.map((_, i) => i);
  const reduced = [...new Set(wanted.map((axis) => axisOf('sum', axis, rank)))].sort((a, b) => a - b);
  let current = x;
  let first = true;
  const runs = consecutiveRuns(reduced);
  for (const [begin, end] of runs) {
    const last = end === runs.at(-1)?.[1];
    const shape = current.shape;
    const next = sumRun(current, begin, end, last ? factor : 1, square && first, last ? out : undefined);
    if (current !== x) current.dispose();
    current = next.view(shape.map((extent, i) => (i >= begin && i < end ? 1 : extent)));
    first = false;
  }
  if (runs.length === 0) current = sumRun(x.view([1, ...x.shape]), 0, 1, factor, square, out);
  return current.view(x.shape.flatMap((extent, i) => (reduced.includes(i) ? (keepdim ? [1] : []) : [extent])));
}

/** Mean over `axes` (all of them when left out). */
export function mean(x: Tensor, axes?: readonly number[], keepdim = false): Tensor {
  const rank = x.shape.length;
  const reduced = new Set((axes ?? x.shape.map((_, i) => i)).map((axis) => axisOf('mean', axis, rank)));
  const count = sizeOf(x.shape.filter((_, i) => reduced.has(i)));
  return sum(x, [...reduced], { keepdim, factor: 1 / count });
}

/** Reduces axes `begin` to `end`, which lie side by side, in as many passes as chunks need. */
function sumRun(x: Tensor, begin: number, end: number, factor: number, square: boolean, target: Tensor | undefined): Tensor {
  const outer = sizeOf(x.shape.slice(0, begin));
  const inner = sizeOf(x.shape.slice(end));
  const width = inner % 4 === 0 ? 4 : 1;
  let extent = sizeOf(x.shape.slice(begin, end));
  let current = x;
  for (let pass = 0; ; pass++) {
    const chunks = Math.max(1, Math.ceil(extent / CHUNK));
    const out = chunks === 1 && target ? target.view([outer, 1, inner]) : Tensor.empty(x.gpu, [outer, chunks, inner]);
    x.gpu.dispatch(
      width === 4 ? kernels.wide : kernels.narrow,
      { x: current.storage, out: out.storage },
      { outputs: out.size / width, extent, inner: inner / width, chunks, factor: chunks === 1 ? factor : 1, square: square && pass === 0 ? 1 : 0 },
      strided(x.gpu, out.size / width),
    );
    if (current !== x) current.dispose();
    if (chunks === 1) return out;
    current = out;
    extent = chunks;
  }
}

/** [0, 1, 3] becomes [[0, 2], [3, 4]]. */
function consecutiveRuns(axes: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const axis of axes) {
    const last = runs.at(-1);
    if (last && last[1] === axis) last[1]++;
    else runs.push([axis, axis + 1]);
  }
  return runs;
}
