/** The map in words: for each picture, the nearest of another class, and whether it is nearer than those of its own. */
import type { EmbeddingMap } from '../../../shared/protocol';

type Point = EmbeddingMap['points'][number];

export interface Neighbour {
  readonly point: Point;
  /** The nearest of another class; null where there is only one. */
  readonly other: Point | null;
  readonly distance: number;
  /** Nearer to it than to any picture of its own class. */
  readonly astray: boolean;
}

/** In order of the points. Sorted by x, each search ends where x alone is farther than what was found. */
export function neighboursOf(points: readonly Point[]): Neighbour[] {
  const order = points.map((_, i) => i).sort((a, b) => points[a].x - points[b].x);
  const found: Neighbour[] = Array.from({ length: points.length });
  order.forEach((index, at) => {
    const point = points[index];
    let [own, distance] = [Infinity, Infinity];
    let other: Point | null = null;
    for (const step of [-1, 1]) {
      for (let k = at + step; k >= 0 && k < order.length; k += step) {
        const candidate = points[order[k]];
        const across = Math.abs(candidate.x - point.x);
        if (across > own && across > distance) break;
        const length = Math.hypot(across, candidate.y - point.y);
        if (candidate.classId === point.classId) own = Math.min(own, length);
        else if (length < distance) [distance, other] = [length, candidate];
      }
    }
    found[index] = { point, other, distance, astray: other !== null && distance < own };
  });
  return found;
}
