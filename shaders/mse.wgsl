// Squared differences and their gradient; the mean is taken by the launcher.

struct Params { size: u32, factor: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> goal: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>; // one element
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn squared_error(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let d = x[i] - goal[i];
  out[i] = d * d;
}

@compute @workgroup_size(WORKGROUP)
fn squared_error_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  out[i] = params.factor * dy[0] * (x[i] - goal[i]);
}
