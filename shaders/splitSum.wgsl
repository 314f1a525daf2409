// Adds up the parts of a product whose depth was split over workgroups, in order, and ends it as the product would have
// been ended. Elements are taken by Column: four where columns come in fours.

struct Params {
  size: u32,     // Columns of a part
  columns: u32,  // Columns that have a scale and bias each
  parts: u32,
  scale: u32,    // 1: multiplied
  bias: u32,     // 1: added
  residual: u32, // 1: added
  relu: u32,     // 1: applied last
}

alias Column = vec4f;
alias Stored = vec4f; // the residual and the output in memory, where they may be f16
const WORKGROUP = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Column>;
@group(0) @binding(2) var<storage, read> scale: array<Column>;
@group(0) @binding(3) var<storage, read> bias: array<Column>;
@group(0) @binding(4) var<storage, read> residual: array<Stored>;
@group(0) @binding(5) var<storage, read_write> out: array<Stored>;

@compute @workgroup_size(WORKGROUP)
fn split_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let i = flat_index(id, workgroups, WORKGROUP);
  if (i >= params.size) { return; }
  // Four at a time: their reads do not wait for one another.
  var v = Column();
  let fours = params.parts / 4u * 4u;
  for (var part = 0u; part < fours; part += 4u) {
    let at = part * params.size + i;
    v += (x[at] + x[at + params.size]) + (x[at + 2u * params.size] + x[at + 3u * params.size]);
  }
  for (var part = fours; part < params.parts; part++) { v += x[part * params.size + i]; }
  let column = i % params.columns;
  if (params.scale == 1u) { v *= scale[column]; }
  if (params.bias == 1u) { v += bias[column]; }
  if (params.residual == 1u) { v += Column(residual[i]); }
  // Not max(): a NaN must stay a NaN.
  if (params.relu == 1u) { v = select(v, Column(), v < Column()); }
  out[i] = Stored(v);
}
