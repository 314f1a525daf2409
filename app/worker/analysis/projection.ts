/** Points of many dimensions laid out in the plane, so that what is near stays near. */
import { Random } from '../../../src/index';
import { leastDistance, movedApart } from './apart';
import { nearest } from './neighbours';
import { principalComponents } from './pca';

export interface Layout {
  /** As the page names it. */
  readonly method: string;
  /** x and y from 0 to 1, in the order of the rows; both axes in equal proportion. */
  readonly points: readonly (readonly [number, number])[];
}

/** With fewer points neighbourhoods mean little, and a plain projection shows all there is. */
const FEW = 15;
/** Neighbours that a point is to stay near: UMAP's usual number. */
const NEIGHBOURS = 15;
/**
 * How near UMAP lets points come, and over what distance nearness fades. More than usual: the points are pictures, and a
 * group should have room for its own without growing into the next.
 */
const ROOM = { minDist: 1, spread: 1.5 };
/** Up to so many points each one's neighbours are looked for among all others; past it UMAP's own search is faster. */
const EXACT = 4096;
/** So many points need fewer rounds to come to rest. */
const FEWER_ROUNDS = 2500;
/** Milliseconds of work before others of the worker have their turn. */
const TURN = 40;

/**
 * UMAP (McInnes et al., 2018), or the two principal components where there are only a few points; then those that lie on
 * one another are moved apart. Seeded: the same rows give the same layout. @throws DOMException `AbortError` when the signal is aborted.
 */
export async function project(rows: readonly Float32Array[], signal?: AbortSignal, onProgress?: (done: number, total: number) => void): Promise<Layout> {
  signal?.throwIfAborted();
  if (rows.length < FEW) return { method: 'PCA', points: roomy(principalComponents(rows, 2)) };
  const { UMAP } = await import('umap-js');
  const random = new Random(0);
  const [nNeighbors, nEpochs] = [Math.min(NEIGHBOURS, rows.length - 1), rows.length < FEWER_ROUNDS ? 500 : 300];
  const umap = new UMAP({ nNeighbors, nEpochs, ...ROOM, random: () => random.next() });
  const turns = slices(signal);
  const total = rows.length + nEpochs;
  await turns.next(() => onProgress?.(0, total));
  if (rows.length <= EXACT) {
    const { indices, distances } = await nearest(rows, nNeighbors, (done) => (turns.due ? turns.next(() => onProgress?.(done, total)) : undefined));
    umap.setPrecomputedKNN(indices, distances);
  }
  umap.initializeFit(rows.map((row) => Array.from(row)));
  for (let round = 1; round <= nEpochs; round++) {
    umap.step();
    if (turns.due) await turns.next(() => onProgress?.(rows.length + round, total));
  }
  return { method: 'UMAP', points: roomy(umap.getEmbedding()) };
}

/** Work in short turns. `next` tells how far it is and lets others have theirs. @throws DOMException `AbortError` when the signal is aborted. */
function slices(signal: AbortSignal | undefined): { readonly due: boolean; next(tell: () => void): Promise<void> } {
  let began = performance.now();
  return {
    get due() {
      return performance.now() - began >= TURN;
    },
    async next(tell) {
      tell();
      await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      began = performance.now();
    },
  };
}

/** In the unit square, no two nearer than their number allows. Fitting brings moved points closer again, so it is done twice. */
function roomy(points: readonly (readonly number[])[]): [number, number][] {
  const distance = leastDistance(points.length);
  return [0, 1].reduce((now) => fitted(movedApart(now, distance)), fitted(points));
}

/** Moved and scaled into the unit square, the longer side filling it and the shorter one in its middle. */
function fitted(points: readonly (readonly number[])[]): [number, number][] {
  const range = (axis: number): { middle: number; extent: number } => {
    const values = points.map((point) => point[axis]);
    const [least, most] = [values.reduce((a, b) => Math.min(a, b), Infinity), values.reduce((a, b) => Math.max(a, b), -Infinity)];
    return { middle: (least + most) / 2, extent: most - least };
  };
  const [x, y] = [range(0), range(1)];
  const scale = Math.max(x.extent, y.extent) || 1;
  const inside = (value: number): number => Math.min(1, Math.max(0, value)); // rounding may miss by a hair
  return points.map((point) => [inside(0.5 + (point[0] - x.middle) / scale), inside(0.5 + (point[1] - y.middle) / scale)]);
}
