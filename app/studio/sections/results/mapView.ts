/** What part of the map is seen: a centre and a magnification. Pure functions, so that pan and zoom can be tested. */

export interface View {
  /** Of the map's unit square. */
  readonly x: number;
  readonly y: number;
  /** 1 shows all. */
  readonly zoom: number;
}

export interface Box {
  readonly width: number;
  readonly height: number;
}

export interface Spot {
  readonly x: number;
  readonly y: number;
}

export const WHOLE: View = { x: 0.5, y: 0.5, zoom: 1 };
const MOST = 40;
/** Pixels around the outermost points. */
const EDGE = 24;

/** Positions in a unit square, with one scale for both axes. */
export function unitPositions(points: readonly Spot[]): Spot[] {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, top] = [xs.reduce((a, b) => Math.min(a, b), Infinity), ys.reduce((a, b) => Math.min(a, b), Infinity)];
  const [width, height] = [xs.reduce((a, b) => Math.max(a, b), -Infinity) - left, ys.reduce((a, b) => Math.max(a, b), -Infinity) - top];
  const size = Math.max(width, height) || 1;
  return points.map(({ x, y }) => ({ x: (x - left - width / 2) / size + 0.5, y: (y - top - height / 2) / size + 0.5 }));
}

/**
 * How far points are from their nearest: of all but the closest tenth at least so far. In both directions the same part of
 * the unit square, as it is stretched with the box.
 */
export function gapOf(points: readonly Spot[]): Spot {
  const order = [...points].sort((a, b) => a.x - b.x);
  const nearest = order.map(({ x, y }, i) => {
    let least = Infinity;
    for (const step of [-1, 1]) {
      // Sorted by x: what is farther in x alone cannot be nearer.
      for (let k = i + step; k >= 0 && k < order.length && Math.abs(order[k].x - x) < least; k += step) least = Math.min(least, Math.hypot(order[k].x - x, order[k].y - y));
    }
    return least;
  }).sort((a, b) => a - b);
  const gap = Math.min(1, nearest[Math.floor(nearest.length / 10)] ?? 1) / 1.15; // squares that lie aslant have less room
  return { x: gap, y: gap };
}

/** Pixels that the unit square's side has. The map stretches to the box: its distances are no lengths to be measured. */
function scales({ width, height }: Box, zoom: number): [number, number] {
  return [Math.max(1, width - 2 * EDGE) * zoom, Math.max(1, height - 2 * EDGE) * zoom];
}

export function toScreen(spot: Spot, view: View, box: Box): Spot {
  const [sx, sy] = scales(box, view.zoom);
  return { x: (spot.x - view.x) * sx + box.width / 2, y: (spot.y - view.y) * sy + box.height / 2 };
}

/** Zooms by `factor` so that what lies at `at` stays there. */
export function zoomAt(view: View, factor: number, at: Spot, box: Box): View {
  const zoom = Math.min(MOST, Math.max(1, view.zoom * factor));
  const [sx, sy] = scales(box, view.zoom);
  const [tx, ty] = scales(box, zoom);
  const [dx, dy] = [at.x - box.width / 2, at.y - box.height / 2];
  return within({ zoom, x: view.x + dx / sx - dx / tx, y: view.y + dy / sy - dy / ty });
}

export function panBy(view: View, dx: number, dy: number, box: Box): View {
  const [sx, sy] = scales(box, view.zoom);
  return within({ ...view, x: view.x - dx / sx, y: view.y - dy / sy });
}

/** Moves the view just so far that `spot` is well inside. */
export function reveal(view: View, spot: Spot, box: Box): View {
  const { x, y } = toScreen(spot, view, box);
  const by = (at: number, size: number): number => (at < EDGE ? EDGE - at : at > size - EDGE ? size - EDGE - at : 0);
  return panBy(view, by(x, box.width), by(y, box.height), box);
}

/** The centre stays on the map. */
function within({ x, y, zoom }: View): View {
  const half = 0.5 / zoom;
  return { zoom, x: Math.min(1 - half, Math.max(half, x)), y: Math.min(1 - half, Math.max(half, y)) };
}

/** The nearest spot to `at` within `reach` pixels; -1 where there is none. */
export function nearest(spots: readonly Spot[], at: Spot, reach: number): number {
  let best = -1;
  let least = reach;
  spots.forEach(({ x, y }, i) => {
    const distance = Math.hypot(x - at.x, y - at.y);
    if (distance <= least) [best, least] = [i, distance];
  });
  return best;
}

/** The nearest spot from `from` in a direction: what lies aside counts as farther. -1 where there is none. */
export function towards(spots: readonly Spot[], from: number, dx: number, dy: number): number {
  let best = -1;
  let least = Infinity;
  spots.forEach(({ x, y }, i) => {
    const along = (x - spots[from].x) * dx + (y - spots[from].y) * dy;
    const aside = Math.abs((x - spots[from].x) * dy) + Math.abs((y - spots[from].y) * dx);
    if (i === from || along <= 0 || aside > along * 1.5) return;
    const cost = along + 2 * aside;
    if (cost < least) [best, least] = [i, cost];
  });
  return best;
}
