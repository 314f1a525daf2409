/**
 * Tiles of the products that use workgroup memory (shaders/lib/workgroupTile.wgsl): which fit the adapter, which suit a
 * shape, and over how many workgroups the depth is split where too few would have work.
 */
import type { Gpu } from '../../gpu/gpu';

/** Rows and columns of a workgroup's tile, and of one invocation's part of it. */
interface Extents {
  readonly m: number;
  readonly n: number;
  readonly rows: number;
  readonly columns: number;
  /** Share of the multiply-adds of the largest tile that a busy GPU reaches: small tiles read more for each. */
  readonly speed: number;
}

export interface Tile extends Extents {
  /** Depths held in workgroup memory at a time. */
  readonly depth: number;
}

/** Whether each side lies along the depth in memory. */
export interface Sides {
  readonly leftAlong: boolean;
  readonly rightAlong: boolean;
}

/** A tile, and into how many parts the depth is split. */
export interface Plan {
  readonly id: string;
  readonly tile: Tile;
  readonly splits: number;
  /** Tiles' depths that one workgroup multiplies. */
  readonly steps: number;
}

/** What a product asks for: `groups` products of `m` by `n`, of depths that `depthSteps` counts in tiles' depths. */
export interface Demand extends Sides {
  readonly m: number;
  readonly n: number;
  readonly groups: number;
  readonly depthSteps: (depth: number) => number;
  /** Parts that the depth is split into at least. Default 1. */
  readonly least?: number;
}

const EXTENTS: readonly Extents[] = [
  { m: 128, n: 128, rows: 8, columns: 8, speed: 1 },
  { m: 128, n: 64, rows: 8, columns: 8, speed: 0.9 },
  { m: 64, n: 64, rows: 8, columns: 4, speed: 0.7 },
  { m: 32, n: 64, rows: 4, columns: 4, speed: 0.5 },
  { m: 32, n: 32, rows: 4, columns: 4, speed: 0.4 },
];

/**
 * Workgroups that keep a GPU busy. Adapters do not tell how many they run at once; from the smallest to the largest it
 * is 10 to 200, and too small a tile costs less on a small one than idle units on a large one.
 */
const UNITS = 128;

/** What reading or writing one element of a part costs, in multiply-adds of the whole device: 25 to 70, less from a cache. */
const TRAFFIC = 32;

/** What one more dispatch costs, in multiply-adds of one unit: about 5 microseconds. */
const LAUNCH = 200_000;

/** The largest extent of a grid that every adapter allows. */
export const GRID = 65535;

/**
 * Tiles and splits for a product that the adapter's limits allow, the best guess first. None on a CPU adapter: its
 * workgroup memory is memory like any other, and each of these kernels takes a second to compile there.
 */
export function rankPlans(gpu: Gpu, demand: Demand): Plan[] {
  const { least = 1 } = demand;
  if (gpu.adapter.software) return [];
  const ranked = tilesFor(gpu, demand).flatMap((tile) => {
    const workgroups = Math.ceil(demand.m / tile.m) * Math.ceil(demand.n / tile.n) * demand.groups;
    const total = Math.max(1, demand.depthSteps(tile.depth));
    const plan = (wanted: number): { plan: Plan; cost: number } => {
      const steps = Math.ceil(total / wanted);
      const splits = Math.ceil(total / steps);
      const waves = Math.ceil((workgroups * splits) / UNITS);
      const product = (waves * steps * tile.depth * tile.m * tile.n) / tile.speed;
      const second = splits === 1 ? 0 : LAUNCH + (2 * splits * demand.m * demand.n * demand.groups * TRAFFIC) / UNITS;
      return { plan: { id: `workgroup ${tile.m}x${tile.n}${splits === 1 ? '' : ' split'}`, tile, splits, steps }, cost: product + second };
    };
    // Fewer than four steps a part would be mostly filling and emptying.
    const parts = Math.min(Math.ceil(UNITS / workgroups), Math.floor(total / 4), Math.floor(GRID / demand.groups));
    if (least > 1) {
      // As many as fill the last wave, too.
      const full = Math.floor((Math.ceil((workgroups * least) / UNITS) * UNITS) / workgroups);
      return [plan(Math.min(Math.max(least, full), total, GRID))];
    }
    return parts < 2 ? [plan(1)] : [plan(1), plan(parts)];
  });
  return ranked.sort((p, q) => p.cost - q.cost).map(({ plan }) => plan);
}

/** Each tile with the greater depth that leaves room in the adapter's workgroup memory. */
function tilesFor(gpu: Gpu, sides: Sides): Tile[] {
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupStorageSize } = gpu.device.limits;
  return EXTENTS.flatMap((extents) => {
    const threads = (extents.m * extents.n) / (extents.rows * extents.columns);
    if (threads > maxComputeInvocationsPerWorkgroup || threads > maxComputeWorkgroupSizeX) return [];
    const depth = [16, 8].find((d) => memoryOf(extents, d, sides) <= maxComputeWorkgroupStorageSize);
    return depth === undefined ? [] : [{ ...extents, depth }];
  });
}

function memoryOf({ m, n }: Extents, depth: number, { leftAlong, rightAlong }: Sides): number {
  const padded = (along: boolean): number => (along ? depth + 4 : depth);
  return 4 * (m * padded(leftAlong) + n * padded(rightAlong));
}

/** Declarations of a tile. */
export function tileSpec(tile: Tile, { leftAlong, rightAlong }: Sides): Record<string, string | number> {
  return {
    TILE_M: tile.m,
    TILE_N: tile.n,
    DEPTH: tile.depth,
    ROWS: tile.rows,
    COLUMNS: tile.columns,
    LEFT_ALONG: String(leftAlong),
    RIGHT_ALONG: String(rightAlong),
  };
}
