/**
 * How the products (matmul, conv2d) are cut into register tiles. Two versions of each kernel exist: in one every
 * invocation reads for itself; in the other, for CPU adapters with subgroups, the invocations of a subgroup share what
 * they read (shaders/lib/lanes.wgsl).
 */
import type { Gpu } from '../../gpu/gpu';
import { Kernel } from '../../gpu/kernel';
import type { FloatDtype } from '../../tensor';
import halfLib from '../../../shaders/lib/half.wgsl?raw';
import lanesLib from '../../../shaders/lib/lanes.wgsl?raw';
import oneLaneLib from '../../../shaders/lib/oneLane.wgsl?raw';
import { columnType } from '../cast';

export interface Tiling {
  /** Invocations that share what they read; 1: none do. */
  readonly lanes: number;
  /** Elements of a column: 4 where they are read as `vec4f`. */
  readonly width: 1 | 4;
  /** Columns and rows of one invocation's tile. */
  readonly columns: number;
  readonly rows: number;
  /** Steps along the depth of the product at a time. */
  readonly steps: number;
  /** Invocations of a workgroup along columns and rows. */
  readonly workgroup: readonly [number, number];
}

/** A product's kernel in both versions, each for elements of either type. */
export class TiledKernel {
  readonly #alone: Readonly<Record<FloatDtype, Kernel>>;
  readonly #shared: Readonly<Record<FloatDtype, Kernel>>;
  readonly #row: string;

  /** `row` is the letter by which the shader names its rows: TILE_P, WORKGROUP_P. */
  constructor(name: string, source: string, row: string) {
    this.#alone = { f32: new Kernel(name, [oneLaneLib, source], name), f16: new Kernel(`${name} f16`, [halfLib, oneLaneLib, source], name) };
    this.#shared = { f32: new Kernel(`${name} (lanes)`, [lanesLib, source], name), f16: new Kernel(`${name} f16 (lanes)`, [halfLib, lanesLib, source], name) };
    this.#row = row;
  }

  /** `dtype`: of the elements in memory. */
  variant({ lanes, width, columns, rows, steps, workgroup }: Tiling, dtype: FloatDtype = 'f32'): Kernel {
    const spec = {
      LANES: lanes,
      Column: width === 4 ? 'vec4f' : 'f32',
      Element: dtype,
      Stored: columnType(width, dtype),
      TILE_N: columns,
      [`TILE_${this.#row}`]: rows,
      STEPS: steps,
      WORKGROUP_N: workgroup[0],
      [`WORKGROUP_${this.#row}`]: workgroup[1],
    };
    return (lanes === 1 ? this.#alone : this.#shared)[dtype].variant({ spec });
  }
}

/** Column tiles to choose from, by width and count. Wide ones first: they win a tie. */
const COLUMN_TILES = [
  [4, 2],
  [4, 1],
  [1, 8],
  [1, 4],
  [1, 2],
  [1, 1],
] as const;

/** Cycles of one load with an address per lane on a CPU adapter, measured in multiply-adds. */
const LOAD = 8;

/** A product as the tilings see it: `columns` in each of `groups` groups, `rows`, and a depth that `steps` must divide. */
export interface Extents {
  readonly columns: number;
  readonly groups: number;
  readonly rows: number;
  readonly depth: number;
}

/**
 * Tilings for a product, the best guess first. The guess weighs loads against multiply-adds as they cost on a CPU
 * adapter, where it matters most; a GPU gets the best of those that do not share.
 */
export function rankTilings(gpu: Gpu, extents: Extents): Tiling[] {
  const ranked: { tiling: Tiling; cost: number }[] = [];
  for (const lanes of new Set([gpu.adapter.sharedLanes, 1])) {
    for (const [width, columns] of COLUMN_TILES) {
      if (extents.columns % width !== 0) continue;
      const perGroup = Math.ceil(extents.columns / width / columns);
      // A subgroup's invocations must share their rows, so they must not belong to different groups.
      if (extents.groups > 1 && perGroup % lanes !== 0) continue;
      for (const rows of rowTiles(lanes, extents.rows, width)) {
        for (const steps of depthSteps(lanes, extents.depth)) {
          ranked.push(weigh({ lanes, width, columns, rows, steps }, perGroup * extents.groups, extents.rows));
        }
      }
    }
  }
  return ranked.sort((a, b) => a.cost - b.cost).map(({ tiling }) => tiling);
}

/** A name for the tuner to remember a tiling by. */
export function tilingId({ lanes, width, columns, rows, steps }: Tiling): string {
  return `l${lanes} v${width} c${columns} r${rows} s${steps}`;
}

/**
 * Rows of a tile; more than there are would be computed in vain. Invocations that share read one row each, or two, or,
 * of columns of four, three: of single columns the compiler makes a slow kernel then.
 */
function rowTiles(lanes: number, rows: number, width: number): number[] {
  if (lanes === 1) return [8, 4, 1].filter((tile) => tile === 1 || tile <= rows);
  return [1, 2, 3].filter((own) => own === 1 || ((own - 1) * lanes < rows && (own < 3 || width === 4))).map((own) => own * lanes);
}

/** Only tiles that share are so large that their sums leave the registers; more steps make a loop too long to be quick. */
function depthSteps(lanes: number, depth: number): number[] {
  return lanes === 1 ? [1] : [2, 1].filter((steps) => depth % steps === 0);
}

function weigh(tile: Omit<Tiling, 'workgroup'>, tiles: number, rows: number): { tiling: Tiling; cost: number } {
  const { lanes, width, columns, steps } = tile;
  const down = Math.ceil(rows / tile.rows);
  const elements = width * columns;
  const loads = elements + tile.rows / lanes;
  const vectors = lanes > 1 ? Math.ceil(tiles / lanes) : tiles / 8;
  // A processor does two multiply-adds while it stores one sum.
  const work = tile.rows * elements * Math.max(0.5, 1 / steps) + (lanes > 1 ? tile.rows : 0);
  const across = lanes > 1 ? 8 : Math.min(8, 2 ** Math.ceil(Math.log2(tiles)));
  const high = lanes > 1 ? 1 : Math.max(1, Math.min(64 / across, 2 ** Math.ceil(Math.log2(down))));
  return { tiling: { ...tile, workgroup: [across, high] }, cost: vectors * down * (LOAD * loads + work) };
}
