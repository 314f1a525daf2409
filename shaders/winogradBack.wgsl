// Winograd's weight gradient, last step: transforms the products of each pair of channels along both axes, the adjoint of
// winogradWeight.wgsl. One invocation does one pair.

struct Params {
  pairs: u32, // input times output channels
}

alias Column = f32;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> products: array<f32>;  // [PATCH * PATCH, in, out]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // [3, 3, in, out]

@compute @workgroup_size(64)
fn winograd_back(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let pair = flat_index(id, workgroups, 64u);
  if (pair >= params.pairs) { return; }
  var rows: array<array<f32, 3>, PATCH>;
  for (var r = 0u; r < PATCH; r++) {
    var u: array<f32, PATCH>;
    for (var c = 0u; c < PATCH; c++) { u[c] = products[(r * PATCH + c) * params.pairs + pair]; }
    rows[r] = transform_back(u);
  }
  for (var c = 0u; c < 3u; c++) {
    var u: array<f32, PATCH>;
    for (var r = 0u; r < PATCH; r++) { u[r] = rows[r][c]; }
    let g = transform_back(u);
    for (var r = 0u; r < 3u; r++) { out[(3u * r + c) * params.pairs + pair] = g[r]; }
  }
}
