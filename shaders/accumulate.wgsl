// sum += x and sum = 0, where it lies, four elements at once.

struct Params { size: u32 } // in fours; what lies past a tensor's end is never used

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> sum: array<vec4f>;
@group(0) @binding(2) var<storage, read> x: array<vec4f>;

@compute @workgroup_size(WORKGROUP)
fn accumulate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { sum[i] += x[i]; }
}

@compute @workgroup_size(WORKGROUP)
fn clear(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { sum[i] = vec4f(0.0); }
}
