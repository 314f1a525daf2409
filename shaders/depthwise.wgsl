// Convolution in groups of one channel (lib/depthwise.wgsl) or few (lib/grouped.wgsl), forward and input gradient. An
// invocation computes TILE_Y x TILE_X targets of one Column and reads each source of theirs once. Positions are walked
// as conv2d.wgsl says, with steps that are positive: the launcher counts the taps of a gradient backwards.

struct Params {
  invocations: u32,
  extent_y: u32,  // targets of this dispatch
  extent_x: u32,
  target_y: u32,  // extents of the whole target
  target_x: u32,
  first_y: u32,
  first_x: u32,
  spacing_y: u32,
  spacing_x: u32,
  source_y: u32,
  source_x: u32,
  offset_y: i32,
  offset_x: i32,
  tap_first_y: i32,
  tap_first_x: i32,
  tap_step_y: i32,
  tap_step_x: i32,
  kernel_x: i32,
  columns: u32,   // of the target, counted in Column
  source_columns: u32,
  scale: u32,     // 1: multiplied
  bias: u32,      // 1: added
  residual: u32,  // 1: added
  relu: u32,      // 1: applied last
}

alias Stored = vec4f; // Column in memory, where it may be f16
const TILE_Y = 2u;
const TILE_X = 4u;
const TAPS_Y = 3u;
const TAPS_X = 3u;
const STRIDE_Y = 1u;
const STRIDE_X = 1u;
const STEP_Y = 1u;
const STEP_X = 1u;
const WINDOW_Y = (TILE_Y - 1u) * STRIDE_Y + (TAPS_Y - 1u) * STEP_Y + 1u;
const WINDOW_X = (TILE_X - 1u) * STRIDE_X + (TAPS_X - 1u) * STEP_X + 1u;
const WORKGROUP = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> weight: array<Stored>;
@group(0) @binding(3) var<storage, read> scale: array<Column>;
@group(0) @binding(4) var<storage, read> bias: array<Column>;
@group(0) @binding(5) var<storage, read> residual: array<Stored>;
@group(0) @binding(6) var<storage, read_write> out: array<Stored>;

@compute @workgroup_size(WORKGROUP)
fn depthwise(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = flat_index(id, workgroups, WORKGROUP);
  if (i >= params.invocations) { return; }
  let column = i % params.columns;
  let tiles_x = (params.extent_x + TILE_X - 1u) / TILE_X;
  let tiles_y = (params.extent_y + TILE_Y - 1u) / TILE_Y;
  let tile = i / params.columns;
  let tx = tile % tiles_x * TILE_X;
  let ty = tile / tiles_x % tiles_y * TILE_Y;
  let image = tile / tiles_x / tiles_y;
  let top = i32(ty * STRIDE_Y) + params.offset_y;
  let left = i32(tx * STRIDE_X) + params.offset_x;

  var sum: array<array<Column, TILE_X>, TILE_Y>;
  for (var d = 0u; d < DEEP; d++) {
    for (var wy = 0u; wy < WINDOW_Y; wy++) {
      var line: array<Column, WINDOW_X>;
      let row = u32(top + i32(wy));
      for (var wx = 0u; wx < WINDOW_X; wx++) {
        let col = u32(left + i32(wx));
        // A negative position is a huge one here.
        let inside = row < params.source_y && col < params.source_x;
        let at = ((image * params.source_y + row) * params.source_x + col) * params.source_columns + source_of(column) + d;
        line[wx] = select(Column(), Column(x[select(0u, at, inside)]), inside);
      }
      for (var ky = 0u; ky < TAPS_Y; ky++) {
        for (var py = 0u; py < TILE_Y; py++) {
          if (wy == py * STRIDE_Y + ky * STEP_Y) {
            for (var kx = 0u; kx < TAPS_X; kx++) {
              let tap_y = params.tap_first_y + i32(ky) * params.tap_step_y;
              let w = weights_at(u32(tap_y * params.kernel_x + params.tap_first_x + i32(kx) * params.tap_step_x), column, d);
              for (var px = 0u; px < TILE_X; px++) { sum[py][px] += w * line[px * STRIDE_X + kx * STEP_X]; }
            }
          }
        }
      }
    }
  }

  let factor = select(Column() + 1.0, scale[column], params.scale == 1u);
  let shift = select(Column(), bias[column], params.bias == 1u);
  for (var py = 0u; py < TILE_Y; py++) {
    for (var px = 0u; px < TILE_X; px++) {
      if (ty + py < params.extent_y && tx + px < params.extent_x) {
        let row = params.first_y + (ty + py) * params.spacing_y;
        let col = params.first_x + (tx + px) * params.spacing_x;
        let to = ((image * params.target_y + row) * params.target_x + col) * params.columns + column;
        var v = sum[py][px] * factor + shift;
        if (params.residual == 1u) { v += Column(residual[to]); }
        // Not max(): a NaN must stay a NaN.
        if (params.relu == 1u) { v = select(v, Column(), v < Column()); }
        out[to] = Stored(v);
      }
    }
  }
}
