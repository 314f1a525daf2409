// Cross entropy of logits [rows, classes] with class indices, label smoothing e, fused with its gradient:
//   loss_i = (1 - e) * (L_i - x[i, t]) + e * mean_c (L_i - x[i, c]),  L_i = log sum_c exp(x[i, c])
//   dx[i, c] = (softmax(x_i)[c] - (1 - e) [c = t] - e / classes) / rows
// A workgroup has a row. The mean over rows is taken by the launcher.

struct Params { rows: u32, classes: u32, smoothing: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

override LANES = 64u; // invocations that share a row

var<workgroup> maxima: array<f32, LANES>;
var<workgroup> sums: array<vec2f, LANES>;

fn largest(value: f32, lane: u32) -> f32 {
  maxima[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { maxima[lane] = max(maxima[lane], maxima[lane + half]); }
  }
  workgroupBarrier();
  return maxima[0];
}

// Sums over the workgroup, in a fixed order.
fn total(value: vec2f, lane: u32) -> vec2f {
  sums[lane] = value;
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  workgroupBarrier();
  return sums[0];
}

// A row's maximum, its sum of exponentials relative to it, and its loss.
struct Row { maximum: f32, sum: f32, loss: f32 }

fn measure(i: u32, lane: u32) -> Row {
  let start = i * params.classes;
  var most = x[start];
  for (var c = lane; c < params.classes; c += LANES) { most = max(most, x[start + c]); }
  let maximum = largest(most, lane);
  var parts = vec2f(0.0);
  for (var c = lane; c < params.classes; c += LANES) {
    let v = x[start + c] - maximum;
    parts += vec2f(exp_of(v), v);
  }
  let both = total(parts, lane);
  let log_sum = log_of(both.x);
  let picked = x[start + u32(labels[i])] - maximum;
  // Without smoothing the mean is left out, not multiplied by zero: an infinite logit must not make a NaN of it.
  var value = log_sum - picked;
  if (params.smoothing > 0.0) {
    value = (1.0 - params.smoothing) * value + params.smoothing * (log_sum - both.y / f32(params.classes));
  }
  return Row(maximum, both.x, value);
}

@compute @workgroup_size(LANES)
fn cross_entropy(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = group.y * groups.x + group.x;
  if (i >= params.rows) { return; }
  let row = measure(i, lane);
  if (lane == 0u) { loss[i] = row.loss; }
}

@compute @workgroup_size(LANES)
fn cross_entropy_with_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = group.y * groups.x + group.x;
  if (i >= params.rows) { return; }
  let row = measure(i, lane);
  if (lane == 0u) { loss[i] = row.loss; }
  let start = i * params.classes;
  let share = params.smoothing / f32(params.classes);
  for (var c = lane; c < params.classes; c += LANES) {
    let hit = select(0.0, 1.0 - params.smoothing, c == u32(labels[i]));
    dx[start + c] = (exp_of(x[start + c] - row.maximum) / row.sum - hit - share) / f32(params.rows);
  }
}
