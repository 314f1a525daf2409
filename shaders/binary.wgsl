// Addition and multiplication of two tensors: of one shape, with `b` repeating along the leading axes (a bias), or
// broadcast in general over up to six axes, where a stride of 0 repeats an axis.

struct Params {
  size: u32,
  period: u32, // elements of b, for the repeating form
  multiply: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
// Six extents, then six strides of a, then six strides of b, outermost first.
@group(0) @binding(4) var<storage, read> axes: array<u32>;

const WORKGROUP = 64u;

fn combine(p: f32, q: f32) -> f32 {
  if (params.multiply == 1u) { return p * q; }
  return p + q;
}

@compute @workgroup_size(WORKGROUP)
fn repeat(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  out[i] = combine(a[i], b[i % params.period]);
}

@compute @workgroup_size(WORKGROUP)
fn same(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  out[i] = combine(a[i], b[i]);
}

@compute @workgroup_size(WORKGROUP)
fn broadcast(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  var rest = i;
  var at_a = 0u;
  var at_b = 0u;
  for (var k = 0u; k < 6u; k++) {
    let axis = 5u - k;
    let position = rest % axes[axis];
    rest /= axes[axis];
    at_a += position * axes[6u + axis];
    at_b += position * axes[12u + axis];
  }
  out[i] = combine(a[at_a], b[at_b]);
}
