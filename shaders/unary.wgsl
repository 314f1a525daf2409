// Elementwise functions of one tensor and their gradients. `y` in a backward entry point is the forward's output,
// `x` its input, whichever makes the gradient cheaper.

struct Params { size: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn relu(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  // Not max(): a NaN must stay a NaN.
  out[i] = select(x[i], 0.0, x[i] < 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn relu_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  // x is the forward's output here. PyTorch: the gradient passes unless y <= 0, so it passes a NaN.
  out[i] = select(dy[i], 0.0, x[i] <= 0.0);
}

fn logistic(v: f32) -> f32 {
  // Of the two forms, the one whose exponential cannot overflow.
  let e = exp_of(-abs(v));
  return select(1.0 / (1.0 + e), e / (1.0 + e), v < 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn sigmoid(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  out[i] = logistic(x[i]);
}

@compute @workgroup_size(WORKGROUP)
fn sigmoid_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  out[i] = dy[i] * x[i] * (1.0 - x[i]);
}

@compute @workgroup_size(WORKGROUP)
fn tanh_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let v = x[i];
  let magnitude = abs(v);
  // Near zero 1 - e^(-2v) cancels; the odd series keeps full precision there.
  let square = v * v;
  let series = v * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 - square * (17.0 / 315.0))));
  let e = exp(-2.0 * magnitude);
  let closed = sign(v) * ((1.0 - e) / (1.0 + e));
  out[i] = select(select(closed, series, magnitude < 0.3), v, is_nan(v));
}

@compute @workgroup_size(WORKGROUP)
fn tanh_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  out[i] = dy[i] * (1.0 - x[i] * x[i]);
}

// erf to 1.5e-7 (Abramowitz and Stegun 7.1.26).
fn erf(v: f32) -> f32 {
  let a = abs(v);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(v) * (1.0 - p * exp(-a * a));
}

const SQRT_HALF = 0.7071067811865476;
const INV_SQRT_2PI = 0.3989422804014327;

@compute @workgroup_size(WORKGROUP)
fn gelu(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let v = x[i];
  out[i] = select(v * 0.5 * (1.0 + erf(v * SQRT_HALF)), v, is_nan(v));
}

@compute @workgroup_size(WORKGROUP)
fn gelu_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let v = x[i];
  let slope = 0.5 * (1.0 + erf(v * SQRT_HALF)) + v * INV_SQRT_2PI * exp(-0.5 * v * v);
  out[i] = select(dy[i] * slope, v, is_nan(v));
}
