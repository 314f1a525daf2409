// Squared differences and their gradient, four elements at once; the mean is taken by the launcher.

struct Params { size: u32, factor: f32 } // size in fours; what lies past a tensor's end is never used

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> goal: array<vec4f>;
@group(0) @binding(3) var<storage, read> dy: array<f32>; // one element
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn squared_error(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) {
    let d = x[i] - goal[i];
    out[i] = d * d;
  }
}

@compute @workgroup_size(WORKGROUP)
fn squared_error_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let factor = params.factor * dy[0];
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = factor * (x[i] - goal[i]); }
}
