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
      const [column, row] = key.split(' ').map(Number);
      for (const [right, down] of [[0, 0], [1, 0], [-1, 1], [0, 1], [1, 1]]) {
        const others = right === 0 && down === 0 ? members : cells.get(`${column + right} ${row + down}`) ?? [];
        for (const a of members) {
          for (const b of others) {
            if (members === others && b <= a) continue;
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

function cellsOf(xs: Float64Array, ys: Float64Array, size: number): Map<string, number[]> {
  const cells = new Map<string, number[]>();
  xs.forEach((x, i) => {
    const key = `${Math.floor(x / size)} ${Math.floor(ys[i] / size)}`;
    const members = cells.get(key);
    if (members) members.push(i);
    else cells.set(key, [i]);
  });
  return cells;
}
