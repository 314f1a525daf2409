// Winograd's convolution: transforms the 3 x 3 kernel of each pair of channels along both axes. One invocation does one
// pair. The result is PATCH * PATCH matrices, one for each element of a transformed kernel: [source, target channels].

struct Params {
  rows: u32,       // source channels of the convolution to be computed
  columns: u32,    // target channels
  row_step: u32,   // distance between source channels in the weight, and between target channels
  column_step: u32,
  first: u32,      // the tap that the transform sees first: 0 for the forward pass, 8 where the kernel is turned round
  step: i32,       // distance to the next: 1 or -1
}

alias Column = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [3, 3, in, out]
@group(0) @binding(2) var<storage, read_write> kernels: array<f32>;

@compute @workgroup_size(64)
fn winograd_weight(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let index = flat_index(id, workgroups, 64u);
  let pairs = params.rows * params.columns;
  if (index >= pairs) { return; }
  let pair = index / params.columns * params.row_step + index % params.columns * params.column_step;

  var rows: array<array<f32, PATCH>, 3>;
  for (var r = 0u; r < 3u; r++) {
    var g: array<f32, 3>;
    for (var c = 0u; c < 3u; c++) { g[c] = weight[u32(i32(params.first) + i32(3u * r + c) * params.step) * pairs + pair]; }
    rows[r] = transform_weight(g);
  }
  for (var c = 0u; c < PATCH; c++) {
    let u = transform_weight(array<f32, 3>(rows[0][c], rows[1][c], rows[2][c]));
    for (var r = 0u; r < PATCH; r++) { kernels[(r * PATCH + c) * pairs + index] = u[r]; }
  }
}
