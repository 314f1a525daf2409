// Sets every element to one value, or scales by one; four elements at once.

struct Params { size: u32, value: f32 } // size in fours; what lies past a tensor's end is never used

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn fill(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.size; i += groups.x * WORKGROUP) { out[i] = vec4f(params.value); }
}

@compute @workgroup_size(WORKGROUP)
fn scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.size; i += groups.x * WORKGROUP) { out[i] = params.value * x[i]; }
}
