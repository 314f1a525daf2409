// Addition and multiplication of two tensors: of one shape, with a single number, with `b` repeating along the leading
// axes (a bias), or broadcast in general over up to six axes, where a stride of 0 repeats an axis.

struct Params {
  size: u32,   // elements of the result, in units of V
  period: u32, // elements of b, for the repeating form
  rows: u32,   // periods that an invocation goes past at each step there
  multiply: u32,
  factor: f32, // of `expand`
  // For the general form, outermost axis first: extents, strides of a, strides of b.
  n0: u32, n1: u32, n2: u32, n3: u32, n4: u32, n5: u32,
  a0: u32, a1: u32, a2: u32, a3: u32, a4: u32, a5: u32,
  b0: u32, b1: u32, b2: u32, b3: u32, b4: u32, b5: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<V>;
@group(0) @binding(2) var<storage, read> b: array<V>;
@group(0) @binding(3) var<storage, read_write> out: array<V>;

fn combine(p: V, q: V) -> V {
  if (params.multiply == 1u) { return p * q; }
  return p + q;
}

@compute @workgroup_size(WORKGROUP)
fn same(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = combine(a[i], b[i]); }
}

@compute @workgroup_size(WORKGROUP)
fn number(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let value = V(first_of(b[0]));
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = combine(a[i], value); }
}

// An invocation meets one element of b only, so that it divides once.
@compute @workgroup_size(WORKGROUP)
fn repeat(@builtin(global_invocation_id) id: vec3u) {
  let stride = params.rows * params.period;
  if (id.x >= stride) { return; }
  let value = b[id.x % params.period];
  for (var i = id.x; i < params.size; i += stride) { out[i] = combine(a[i], value); }
}

struct Places { a: u32, b: u32 }

fn places_of(i: u32) -> Places {
  let extents = array<u32, 6>(params.n0, params.n1, params.n2, params.n3, params.n4, params.n5);
  let strides_a = array<u32, 6>(params.a0, params.a1, params.a2, params.a3, params.a4, params.a5);
  let strides_b = array<u32, 6>(params.b0, params.b1, params.b2, params.b3, params.b4, params.b5);
  var rest = i;
  var places = Places(0u, 0u);
  for (var k = 0u; k < 6u; k++) {
    let axis = 5u - k;
    let position = rest % extents[axis];
    rest /= extents[axis];
    places.a += position * strides_a[axis];
    places.b += position * strides_b[axis];
  }
  return places;
}

@compute @workgroup_size(WORKGROUP)
fn broadcast(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) {
    let at = places_of(i);
    out[i] = combine(a[at.a], b[at.b]);
  }
}

// a, repeated, times a number: the gradient of a sum or a mean.
@compute @workgroup_size(WORKGROUP)
fn expand(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = params.factor * a[places_of(i).a]; }
}
