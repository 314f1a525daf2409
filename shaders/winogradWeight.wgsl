// Winograd's convolution: transforms the 3 x 3 kernel of each pair of channels along both axes. One invocation does one
// pair; a workgroup does a square of them, so that it reads and writes whole cache lines whichever channels lie side by
// side in the weight. The result is PATCH * PATCH matrices, one for each element of a transformed kernel, [source, target
// channels].

struct Params {
  rows: u32,         // source channels of the convolution to be computed
  columns: u32,      // target channels of this dispatch
  first_column: u32, // the first of them
  row_step: u32,     // distance between source channels in the weight, and between target channels
  column_step: u32,
  tap: u32,          // where the tap lies in the weight that the transform sees first
  tap_step: i32,     // distance to the next: backwards where the kernel is turned round
}

alias Column = f32;
alias Element = f32; // the weight in memory, where it may be f16

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<Element>; // [3, 3, in, out]
@group(0) @binding(2) var<storage, read_write> kernels: array<f32>;

@compute @workgroup_size(16, 16)
fn winograd_weight(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.columns || id.y >= params.rows) { return; }
  let pairs = params.rows * params.columns;
  let index = id.y * params.columns + id.x;
  let pair = params.tap + id.y * params.row_step + (params.first_column + id.x) * params.column_step;

  var rows: array<array<f32, PATCH>, 3>;
  for (var r = 0u; r < 3u; r++) {
    var g: array<f32, 3>;
    for (var c = 0u; c < 3u; c++) { g[c] = f32(weight[u32(i32(pair) + i32(3u * r + c) * params.tap_step)]); }
    rows[r] = transform_weight(g);
  }
  for (var c = 0u; c < PATCH; c++) {
    let u = transform_weight(array<f32, 3>(rows[0][c], rows[1][c], rows[2][c]));
    for (var r = 0u; r < PATCH; r++) { kernels[(r * PATCH + c) * pairs + index] = u[r]; }
  }
}
