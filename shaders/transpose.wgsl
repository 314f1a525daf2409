// Swaps the matrices' axes of a tensor seen as [batch, rows, groups, cols]: the result is [batch, cols, groups, rows].
// One invocation moves RUN neighbouring elements of a row.

struct Params {
  rows: u32,
  groups: u32,
  cols: u32,
  matrices: u32, // batch * groups
}

alias Element = f32;
const RUN = 8u;
const WORKGROUP = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read_write> out: array<Element>;

@compute @workgroup_size(WORKGROUP)
fn transpose(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let row = id.x;
  let first = id.y * RUN;
  if (row >= params.rows) { return; }
  let to_stride = params.groups * params.rows;
  for (var matrix = id.z; matrix < params.matrices; matrix += workgroups.z) {
    let batch = matrix / params.groups;
    let group = matrix - batch * params.groups;
    let start = ((batch * params.rows + row) * params.groups + group) * params.cols;
    let to = (batch * params.cols * params.groups + group) * params.rows + row;
    for (var i = 0u; i < RUN; i++) {
      let col = first + i;
      if (col < params.cols) { out[to + col * to_stride] = x[start + col]; }
    }
  }
}
