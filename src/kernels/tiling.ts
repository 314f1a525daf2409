/**
 * How the products (matmul, conv2d) are cut into register tiles. Two versions of each kernel exist: in one every
 * invocation reads for itself; in the other, for CPU adapters with subgroups, the invocations of a subgroup share what
 * they read (shaders/lib/lanes.wgsl).
 */
import type { Gpu } from '../gpu/gpu';
import { Kernel } from '../gpu/kernel';
import lanesLib from '../../shaders/lib/lanes.wgsl?raw';
import oneLaneLib from '../../shaders/lib/oneLane.wgsl?raw';

export interface Tiling {
  /** Invocations that share what they read; 1: none do. */
  readonly lanes: number;
  /** Elements of a column: 4 where they are read as `vec4f`. */
  readonly width: 1 | 4;
  /** Columns and rows of one invocation's tile. */
  readonly columns: number;
  readonly rows: number;
  /** Invocations of a workgroup along columns and rows. */
  readonly workgroup: readonly [number, number];
}

/** A product's kernel in both versions. */
export class TiledKernel {
  readonly #alone: Kernel;
  readonly #shared: Kernel;
  readonly #row: string;

  /** `row` is the letter by which the shader names its rows: TILE_P, WORKGROUP_P. */
  constructor(name: string, source: string, row: string) {
    this.#alone = new Kernel(name, [oneLaneLib, source], name);
    this.#shared = new Kernel(`${name} (lanes)`, [lanesLib, source], name);
    this.#row = row;
  }

  variant({ lanes, width, columns, rows, workgroup }: Tiling): Kernel {
    const spec = {
      LANES: lanes,
      Column: width === 4 ? 'vec4f' : 'f32',
      TILE_N: columns,
      [`TILE_${this.#row}`]: rows,
      WORKGROUP_N: workgroup[0],
      [`WORKGROUP_${this.#row}`]: workgroup[1],
    };
    return (lanes === 1 ? this.#alone : this.#shared).variant({ spec });
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

/**
 * The tiling for products with `extent` columns in each of `groups` groups. It weighs loads against multiply-adds as
 * they cost on a CPU adapter, where it matters most; a GPU gets the best of the kernels that do not share.
 * `rows` is how many there are; `scalar` forbids columns of four.
 */
export function chooseTiling(gpu: Gpu, extent: number, groups: number, rows: number, scalar = false): Tiling {
  let best: Tiling | undefined;
  let bestCost = Infinity;
  for (const lanes of new Set([gpu.adapter.sharedLanes, 1])) {
    const tileRows = lanes === 1 ? (rows >= 8 ? 8 : rows >= 4 ? 4 : 1) : rows > lanes ? 2 * lanes : lanes;
    for (const [width, columns] of COLUMN_TILES) {
      if (extent % width !== 0 || (scalar && width > 1)) continue;
      const perGroup = Math.ceil(extent / width / columns);
      if (groups > 1 && perGroup % lanes !== 0) continue;
      const tiles = perGroup * groups;
      const across = lanes > 1 ? 8 : Math.min(8, 2 ** Math.ceil(Math.log2(tiles)));
      const elements = width * columns;
      const loads = elements + tileRows / lanes;
      const vectors = lanes > 1 ? Math.ceil(tiles / lanes) : tiles / 8;
      const work = tileRows * elements + (lanes > 1 ? tileRows : 0);
      const cost = (vectors * (LOAD * loads + work)) / Math.min(tileRows, Math.max(1, rows));
      if (cost >= bestCost) continue;
      bestCost = cost;
      const down = lanes > 1 ? 1 : Math.max(1, Math.min(64 / across, 2 ** Math.ceil(Math.log2(rows / tileRows))));
      best = { lanes, width, columns, rows: tileRows, workgroup: [across, down] };
    }
  }
  return best as Tiling;
}
