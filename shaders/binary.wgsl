// Addition and multiplication of two tensors: of one shape, with `b` repeating along the leading axes (a bias), or
// broadcast in general over up to six axes, where a stride of 0 repeats an axis.

struct Params {
  size: u32,
  period: u32, // elements of b, for the repeating form
  multiply: u32,
  // For the general form, outermost axis first: extents, strides of a, strides of b.
  n0: u32, n1: u32, n2: u32, n3: u32, n4: u32, n5: u32,
  a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a5: u32,
  b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b5: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

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
  let extents = array<u32, 6>(params.n0, params.n1, params.n2, params.n3, params.n4, params.n5);
  let strides_a = array<u32, 6>(params.a0, params.a1, params.a2, params.a3, params.a4, params.a5);
  let strides_b = array<u32, 6>(params.b0, params.b1, params.b2, params.b3, params.b4, params.b5);
  var rest = i;
  var at_a = 0u;
  var at_b = 0u;
  for (var k = 0u; k < 6u; k++) {
    let axis = 5u - k;
    let position = rest % extents[axis];
    rest /= extents[axis];
    at_a += position * strides_a[axis];
    at_b += position * strides_b[axis];
  }
  out[i] = combine(a[at_a], b[at_b]);
}
