// Winograd's weight gradient, first step: cuts the output's gradient into tiles of TILE x TILE pixels and transforms each
// along both axes, the adjoint of winogradOutput.wgsl. One invocation does one tile of one column, a column being one
// channel or four. The result is PATCH * PATCH matrices, [tiles, channels]. Pixels past the edge are zeros.

struct Params {
  first: u32,   // tile of this dispatch's first row
  tiles: u32,   // rows
  columns: u32, // channels, counted in Column
  tiles_y: u32, // tiles of an image
  tiles_x: u32,
  size_y: u32,
  size_x: u32,
}

alias Column = vec4f;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<Column>;
@group(0) @binding(2) var<storage, read_write> patches: array<Column>;

@compute @workgroup_size(64)
fn winograd_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let index = flat_index(id, workgroups, 64u);
  if (index >= params.tiles * params.columns) { return; }
  let column = index % params.columns;
  let tile = params.first + index / params.columns;
  let per_image = params.tiles_y * params.tiles_x;
  let image = tile / per_image * params.size_y * params.size_x;
  let top = tile % per_image / params.tiles_x * TILE;
  let left = tile % params.tiles_x * TILE;

  var rows: array<array<Column, PATCH>, TILE>;
  for (var r = 0u; r < TILE; r++) {
    var d: array<Column, TILE>;
    for (var c = 0u; c < TILE; c++) {
      let inside = top + r < params.size_y && left + c < params.size_x;
      let at = select(0u, image + (top + r) * params.size_x + left + c, inside) * params.columns + column;
      d[c] = select(Column(), dy[at], inside);
    }
    rows[r] = transform_gradient(d);
  }
  for (var c = 0u; c < PATCH; c++) {
    var d: array<Column, TILE>;
    for (var r = 0u; r < TILE; r++) { d[r] = rows[r][c]; }
    let m = transform_gradient(d);
    for (var r = 0u; r < PATCH; r++) { patches[(r * PATCH + c) * params.tiles * params.columns + index] = m[r]; }
  }
}
