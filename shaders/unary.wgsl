// Elementwise functions of one tensor and their gradients, four elements at once. In a backward entry point x is the
// forward's output or its input, whichever makes the gradient cheaper.

struct Params { size: u32 } // in fours; what lies past a tensor's end is never used

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> dy: array<V>;
@group(0) @binding(3) var<storage, read_write> out: array<V>;

@compute @workgroup_size(WORKGROUP)
fn relu(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) {
    let v = x[i];
    // Not max(): a NaN must stay a NaN.
    out[i] = select(v, V(0.0), v < V(0.0));
  }
}

@compute @workgroup_size(WORKGROUP)
fn relu_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) {
    // x is the forward's output here. PyTorch: the gradient passes unless y <= 0, so it passes a NaN.
    out[i] = select(dy[i], V(0.0), x[i] <= V(0.0));
  }
}

fn logistic(v: V) -> V {
  // Of the two forms, the one whose exponential cannot overflow.
  let e = exp(-abs(v));
  return select(select(V(1.0), e, v < V(0.0)) / (V(1.0) + e), v, nan_in(v));
}

@compute @workgroup_size(WORKGROUP)
fn sigmoid(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = logistic(x[i]); }
}

@compute @workgroup_size(WORKGROUP)
fn sigmoid_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = dy[i] * x[i] * (V(1.0) - x[i]); }
}

fn tanh_of(v: V) -> V {
  let magnitude = abs(v);
  // Near zero 1 - e^(-2v) cancels; the odd series keeps full precision there.
  let square = v * v;
  let series = v * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 - square * (17.0 / 315.0))));
  let e = exp(-2.0 * magnitude);
  let closed = sign(v) * ((1.0 - e) / (1.0 + e));
  return select(select(closed, series, magnitude < V(0.3)), v, nan_in(v));
}

@compute @workgroup_size(WORKGROUP)
fn tanh_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = tanh_of(x[i]); }
}

@compute @workgroup_size(WORKGROUP)
fn tanh_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) { out[i] = dy[i] * (V(1.0) - x[i] * x[i]); }
}

// 1 - erf(a) for a >= 0, to 1.2e-7 of its value however small it is (Chebyshev fit, Numerical Recipes, section 6.2).
fn erfc(a: V) -> V {
  let t = 1.0 / (1.0 + 0.5 * a);
  let high = -1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277));
  let low = 1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (0.27886807 + t * high))));
  return t * exp(-a * a - 1.26551223 + t * low);
}

// The normal distribution's share below v. From the nearer tail, so that nothing cancels.
fn normal_cdf(v: V) -> V {
  let tail = 0.5 * erfc(abs(v) * SQRT_HALF);
  return select(1.0 - tail, tail, v < V(0.0));
}

const SQRT_HALF = 0.7071067811865476;
const INV_SQRT_2PI = 0.3989422804014327;

@compute @workgroup_size(WORKGROUP)
fn gelu(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) {
    let v = x[i];
    out[i] = select(v * normal_cdf(v), v, nan_in(v));
  }
}

@compute @workgroup_size(WORKGROUP)
fn gelu_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) {
    let v = x[i];
    let slope = normal_cdf(v) + v * INV_SQRT_2PI * exp(-0.5 * v * v);
    out[i] = select(dy[i] * slope, v, nan_in(v));
  }
}
