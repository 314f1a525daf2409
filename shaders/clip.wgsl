// Gradient clipping by the common norm of all gradients, three gradients at once.

struct Params {
  size0: u32, size1: u32, size2: u32, // in floats; 0 where there is none
  start: u32,                         // of this dispatch's sums
  max_norm: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> grad0: array<vec4f>;
@group(0) @binding(2) var<storage, read> grad1: array<vec4f>;
@group(0) @binding(3) var<storage, read> grad2: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> clipped0: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> clipped1: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> clipped2: array<vec4f>;
@group(0) @binding(8) var<storage, read> squares: array<f32>; // one element: the sum of all squares

fn fours(size: u32) -> u32 {
  return (size + 3u) / 4u;
}

// The sum of squares of the i-th four, leaving out what lies past the tensor's end.
fn squared(v: vec4f, i: u32, size: u32) -> f32 {
  let inside = select(vec4f(0.0), v, vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(size));
  return dot(inside, inside);
}

@compute @workgroup_size(WORKGROUP)
fn square_sums(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  var sum = 0.0;
  let span0 = span_of(id, groups, fours(params.size0));
  for (var i = span0.begin; i < span0.end; i += WORKGROUP) { sum += squared(grad0[i], i, params.size0); }
  let span1 = span_of(id, groups, fours(params.size1));
  for (var i = span1.begin; i < span1.end; i += WORKGROUP) { sum += squared(grad1[i], i, params.size1); }
  let span2 = span_of(id, groups, fours(params.size2));
  for (var i = span2.begin; i < span2.end; i += WORKGROUP) { sum += squared(grad2[i], i, params.size2); }
  sums[params.start + id.x] = sum;
}

// Scales by min(1, max_norm / (norm + 1e-6)).
@compute @workgroup_size(WORKGROUP)
fn clip(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let factor = min(1.0, params.max_norm / (sqrt(squares[0]) + 1e-6));
  let span0 = span_of(id, groups, fours(params.size0));
  for (var i = span0.begin; i < span0.end; i += WORKGROUP) { clipped0[i] *= factor; }
  let span1 = span_of(id, groups, fours(params.size1));
  for (var i = span1.begin; i < span1.end; i += WORKGROUP) { clipped1[i] *= factor; }
  let span2 = span_of(id, groups, fours(params.size2));
  for (var i = span2.begin; i < span2.end; i += WORKGROUP) { clipped2[i] *= factor; }
}
