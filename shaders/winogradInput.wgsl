// Winograd's convolution, first step: cuts the source into overlapping patches of PATCH x PATCH pixels, one every TILE,
// and transforms each along both axes. One invocation does one patch of one column, a column being one channel or four.
// The result is PATCH * PATCH matrices, one for each element of a transformed patch: [tiles, channels].

struct Params {
  first: u32,     // tile of this dispatch's first row
  tiles: u32,     // rows
  columns: u32,   // channels, counted in Column
  tiles_y: u32,   // tiles of an image
  tiles_x: u32,
  source_y: u32,
  source_x: u32,
  padding_y: i32, // may be negative: the first patch then starts inside the image
  padding_x: i32,
}

alias Column = vec4f;
alias Stored = vec4f; // the source in memory, where it may be f16

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<Stored>;
@group(0) @binding(2) var<storage, read_write> patches: array<Column>;

@compute @workgroup_size(64)
fn winograd_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let index = flat_index(id, workgroups, 64u);
  if (index >= params.tiles * params.columns) { return; }
  let column = index % params.columns;
  let tile = params.first + index / params.columns;
  let per_image = params.tiles_y * params.tiles_x;
  let image = tile / per_image * params.source_y * params.source_x;
  let top = i32(tile % per_image / params.tiles_x * TILE) - params.padding_y;
  let left = i32(tile % params.tiles_x * TILE) - params.padding_x;

  var rows: array<array<Column, PATCH>, PATCH>;
  for (var r = 0u; r < PATCH; r++) {
    let y = u32(top + i32(r));
    var d: array<Column, PATCH>;
    for (var c = 0u; c < PATCH; c++) {
      let x = u32(left + i32(c));
      // A negative position is a huge one here.
      let inside = y < params.source_y && x < params.source_x;
      let at = select(0u, image + y * params.source_x + x, inside) * params.columns + column;
      d[c] = select(Column(), Column(source[at]), inside);
    }
    rows[r] = transform_input(d);
  }
  for (var c = 0u; c < PATCH; c++) {
    var d: array<Column, PATCH>;
    for (var r = 0u; r < PATCH; r++) { d[r] = rows[r][c]; }
    d = transform_input(d);
    for (var r = 0u; r < PATCH; r++) { patches[(r * PATCH + c) * params.tiles * params.columns + index] = d[r]; }
  }
}
