// Swaps the matrices' axes of a tensor seen as [batch, rows, groups, cols]: the result is [batch, cols, groups, rows].

struct Params {
  size: u32,
  rows: u32,
  groups: u32,
  cols: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn transpose(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let row = i % params.rows;
  let rest = i / params.rows;
  let group = rest % params.groups;
  let col = (rest / params.groups) % params.cols;
  let batch = rest / (params.groups * params.cols);
  out[i] = x[((batch * params.rows + row) * params.groups + group) * params.cols + col];
}
