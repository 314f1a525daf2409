// Sets every element to one value, or scales by one; four elements at once.

struct Params { size: u32, value: f32 } // size in fours; what lies past a tensor's end is never used

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn fill(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = vec4f(params.value); }
}

@compute @workgroup_size(WORKGROUP)
fn scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = params.value * x[i]; }
}
