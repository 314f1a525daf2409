// Winograd's convolution, last step: transforms the products of each tile along both axes, which gives TILE x TILE
// pixels, and finishes them: times scale, plus bias, plus residual, relu. One invocation does one tile of one column, a
// column being one channel or four.

struct Params {
  first: u32,        // tile of this dispatch's first row
  tiles: u32,        // rows
  columns: u32,      // channels of this dispatch, counted in Column
  first_column: u32, // the first of them
  width: u32,        // channels of the target, counted in Column
  tiles_y: u32,      // tiles of an image
  tiles_x: u32,
  target_y: u32,
  target_x: u32,
  scale: u32,        // 1: multiplied
  bias: u32,         // 1: added
  residual: u32,     // 1: added
  relu: u32,         // 1: applied last
}

alias Column = vec4f;
alias Stored = vec4f; // the residual and the target in memory, where they may be f16

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> products: array<Column>;
@group(0) @binding(2) var<storage, read> scale: array<Column>;
@group(0) @binding(3) var<storage, read> bias: array<Column>;
@group(0) @binding(4) var<storage, read> residual: array<Stored>;
@group(0) @binding(5) var<storage, read_write> out: array<Stored>;

@compute @workgroup_size(64)
fn winograd_output(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let index = flat_index(id, workgroups, 64u);
  if (index >= params.tiles * params.columns) { return; }
  let column = params.first_column + index % params.columns;
  let tile = params.first + index / params.columns;
  let per_image = params.tiles_y * params.tiles_x;
  let image = tile / per_image * params.target_y * params.target_x;
  let top = tile % per_image / params.tiles_x * TILE;
  let left = tile % params.tiles_x * TILE;

  var rows: array<array<Column, TILE>, PATCH>;
  for (var r = 0u; r < PATCH; r++) {
    var m: array<Column, PATCH>;
    for (var c = 0u; c < PATCH; c++) { m[c] = products[(r * PATCH + c) * params.tiles * params.columns + index]; }
    rows[r] = transform_output(m);
  }
  let factor = select(Column() + 1.0, scale[column], params.scale == 1u);
  let shift = select(Column(), bias[column], params.bias == 1u);
  for (var c = 0u; c < TILE; c++) {
    var m: array<Column, PATCH>;
    for (var r = 0u; r < PATCH; r++) { m[r] = rows[r][c]; }
    let y = transform_output(m);
    for (var r = 0u; r < TILE; r++) {
      if (top + r < params.target_y && left + c < params.target_x) {
        let to = (image + (top + r) * params.target_x + left + c) * params.width + column;
        var v = y[r] * factor + shift;
        if (params.residual == 1u) { v += Column(residual[to]); }
        // Not max(): a NaN must stay a NaN.
        if (params.relu == 1u) { v = select(v, Column(), v < Column()); }
        out[to] = Stored(v);
      }
    }
  }
}
