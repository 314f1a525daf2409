// Softmax and log-softmax along the middle axis of [outer, axis, inner], with their gradients; one invocation a row.

struct Params { rows: u32, extent: u32, inner: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const WORKGROUP = 64u;

struct Row { start: u32, maximum: f32, sum: f32 }

fn row_start(row: u32) -> u32 {
  return (row / params.inner) * params.extent * params.inner + row % params.inner;
}

// The row's maximum and its sum of exponentials relative to it. A NaN anywhere makes the sum a NaN.
fn measure(row: u32) -> Row {
  let start = row_start(row);
  var maximum = x[start];
  for (var k = 1u; k < params.extent; k++) { maximum = max(maximum, x[start + k * params.inner]); }
  var sum = 0.0;
  for (var k = 0u; k < params.extent; k++) { sum += exp_of(x[start + k * params.inner] - maximum); }
  return Row(start, maximum, sum);
}

@compute @workgroup_size(WORKGROUP)
fn softmax(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows) { return; }
  let row = measure(i);
  for (var k = 0u; k < params.extent; k++) {
    let at = row.start + k * params.inner;
    out[at] = exp_of(x[at] - row.maximum) / row.sum;
  }
}

@compute @workgroup_size(WORKGROUP)
fn log_softmax(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows) { return; }
  let row = measure(i);
  let log_sum = log_of(row.sum);
  for (var k = 0u; k < params.extent; k++) {
    let at = row.start + k * params.inner;
    out[at] = x[at] - row.maximum - log_sum;
  }
}

// x is the forward's output in both gradients.
@compute @workgroup_size(WORKGROUP)
fn softmax_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows) { return; }
  let start = row_start(i);
  var dot = 0.0;
  for (var k = 0u; k < params.extent; k++) {
    let at = start + k * params.inner;
    dot += dy[at] * x[at];
  }
  for (var k = 0u; k < params.extent; k++) {
    let at = start + k * params.inner;
    out[at] = x[at] * (dy[at] - dot);
  }
}

@compute @workgroup_size(WORKGROUP)
fn log_softmax_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows) { return; }
  let start = row_start(i);
  var total = 0.0;
  for (var k = 0u; k < params.extent; k++) { total += dy[start + k * params.inner]; }
  for (var k = 0u; k < params.extent; k++) {
    let at = start + k * params.inner;
    out[at] = dy[at] - exp_of(x[at]) * total;
  }
}
