/** Points moved apart so that pictures of one size at them do not hide each other, and no further. */

export type Point = readonly [number, number];

/** How much of the square the pictures may fill: more would leave no gaps between groups. */
const FILL = 0.28;
/** The least distance that few points are moved to: a share of the square's side. */
const MOST = 0.1;
const ROUNDS = 160;
/** Of an overlap, what a round takes away. */
const PUSH = 0.35;
/** An angle whose multiples never meet again: where a point goes that lies on another. */
const GOLDEN = 2.399963;

/** The distance that `count` points in the unit square can keep. */
export function leastDistance(count: number): number {
  return Math.min(MOST, Math.sqrt(FILL / Math.max(1, count)));
}

/**
 * The same points, those that are nearer to each other than `distance` pushed apart, in rounds, each along the line that
 * joins them. Who lay beside whom still does. No chance: the same points give the same places. A grid of cells of that size
 * keeps a round's cost in proportion to the number of points.
 */
export function movedApart(points: readonly Point[], distance: number): Point[] {
  const xs = Float64Array.from(points, ([x]) => x);
  const ys = Float64Array.from(points, ([, y]) => y);
  const [dx, dy] = [new Float64Array(points.length), new Float64Array(points.length)];
  for (let round = 0; round < ROUNDS; round++) {
    const cells = cellsOf(xs, ys, distance);
    dx.fill(0);
    dy.fill(0);
    let worst = 0;
    for (const [key, members] of cells) {
      for (const beside of BESIDE) {
        const others = cells.get(key + beside) ?? [];
        for (const a of members) {
          for (const b of others) {
            if (beside === 0 && b <= a) continue;
            let [x, y] = [xs[b] - xs[a], ys[b] - ys[a]];
            let length = Math.hypot(x, y);
            if (length >= distance) continue;
            worst = Math.max(worst, distance - length);
            const push = (PUSH * (distance - length)) / 2;
            if (length < distance * 1e-3) [x, y, length] = [Math.cos(GOLDEN * b), Math.sin(GOLDEN * b), 1];
            dx[a] -= (push * x) / length;
            dy[a] -= (push * y) / length;
            dx[b] += (push * x) / length;
            dy[b] += (push * y) / length;
          }
        }
      }
    }
    if (worst < distance * 0.02) break;
    for (let i = 0; i < points.length; i++) {
      xs[i] += dx[i];
      ys[i] += dy[i];
    }
  }
  return points.map((_, i) => [xs[i], ys[i]]);
}

/** Rows of the grid are so far apart in the cells' keys: more than its columns, even where points were pushed out of the square. */
const ROW = 2 ** 20;
/** A cell and half of those around it: the others have it among theirs. */
const BESIDE = [0, 1, ROW - 1, ROW, ROW + 1];

function cellsOf(xs: Float64Array, ys: Float64Array, size: number): Map<number, number[]> {
  const cells = new Map<number, number[]>();
  xs.forEach((x, i) => {
    const key = Math.floor(ys[i] / size) * ROW + Math.floor(x / size);
    const members = cells.get(key);
    if (members) members.push(i);
    else cells.set(key, [i]);
  });
  return cells;
}
