// Between element types, four at a time; the last four may reach into the padding that every buffer has.

struct Params {
  quads: u32,
}

alias From = vec4f;
alias To = vec4f;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<From>;
@group(0) @binding(2) var<storage, read_write> out: array<To>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn cast_elements(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i < params.quads) { out[i] = To(x[i]); }
}
