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

const WORKGROUP = 64u;

// The sum of squares of the i-th four, leaving out what lies past the tensor's end.
fn squared(v: vec4f, i: u32, size: u32) -> f32 {
  let inside = select(vec4f(0.0), v, vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(size));
  return dot(inside, inside);
}

@compute @workgroup_size(WORKGROUP)
fn square_sums(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let stride = groups.x * WORKGROUP;
  var sum = 0.0;
  for (var i = id.x; 4u * i < params.size0; i += stride) { sum += squared(grad0[i], i, params.size0); }
  for (var i = id.x; 4u * i < params.size1; i += stride) { sum += squared(grad1[i], i, params.size1); }
  for (var i = id.x; 4u * i < params.size2; i += stride) { sum += squared(grad2[i], i, params.size2); }
  sums[params.start + id.x] = sum;
}

// Scales by min(1, max_norm / (norm + 1e-6)).
@compute @workgroup_size(WORKGROUP)
fn clip(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let stride = groups.x * WORKGROUP;
  let factor = min(1.0, params.max_norm / (sqrt(squares[0]) + 1e-6));
  for (var i = id.x; 4u * i < params.size0; i += stride) { clipped0[i] *= factor; }
  for (var i = id.x; 4u * i < params.size1; i += stride) { clipped1[i] *= factor; }
  for (var i = id.x; 4u * i < params.size2; i += stride) { clipped2[i] *= factor; }
}
