// Cross entropy of logits [rows, classes] with class indices, label smoothing e, fused with its gradient:
//   loss_i = (1 - e) * (L_i - x[i, t]) + e * mean_c (L_i - x[i, c]),  L_i = log sum_c exp(x[i, c])
//   dx[i, c] = (softmax(x_i)[c] - (1 - e) [c = t] - e / classes) / rows
// The mean over rows is taken by the launcher.

struct Params { rows: u32, classes: u32, smoothing: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const WORKGROUP = 64u;

// A row's maximum, its sum of exponentials relative to it, and its loss.
struct Row { maximum: f32, sum: f32, loss: f32 }

fn measure(i: u32) -> Row {
  let start = i * params.classes;
  var maximum = x[start];
  for (var c = 1u; c < params.classes; c++) { maximum = max(maximum, x[start + c]); }
  var sum = 0.0;
  var total = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    sum += exp_of(x[start + c] - maximum);
    total += x[start + c] - maximum;
  }
  let log_sum = log_of(sum);
  let picked = x[start + u32(labels[i])] - maximum;
  // Without smoothing the mean is left out, not multiplied by zero: an infinite logit must not make a NaN of it.
  var value = log_sum - picked;
  if (params.smoothing > 0.0) {
    value = (1.0 - params.smoothing) * value + params.smoothing * (log_sum - total / f32(params.classes));
  }
  return Row(maximum, sum, value);
}

@compute @workgroup_size(WORKGROUP)
fn cross_entropy(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows) { return; }
  loss[i] = measure(i).loss;
}

@compute @workgroup_size(WORKGROUP)
fn cross_entropy_with_gradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows) { return; }
  let row = measure(i);
  loss[i] = row.loss;
  let start = i * params.classes;
  let share = params.smoothing / f32(params.classes);
  for (var c = 0u; c < params.classes; c++) {
    let hit = select(0.0, 1.0 - params.smoothing, c == u32(labels[i]));
    dx[start + c] = (exp_of(x[start + c] - row.maximum) / row.sum - hit - share) / f32(params.rows);
  }
}
