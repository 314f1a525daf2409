// Layer normalisation over the last axis: x is [rows, extent], one invocation a row.

struct Params { rows: u32, extent: u32, eps: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> xhat_dy: array<f32>;

const WORKGROUP = 64u;

struct Stats { mean: f32, invstd: f32 }

fn measure(start: u32) -> Stats {
  let shift = x[start];
  var sum = 0.0;
  for (var k = 0u; k < params.extent; k++) { sum += x[start + k] - shift; }
  let mean = shift + sum / f32(params.extent);
  var squares = 0.0;
  for (var k = 0u; k < params.extent; k++) {
    let d = x[start + k] - mean;
    squares += d * d;
  }
  return Stats(mean, 1.0 / sqrt(squares / f32(params.extent) + params.eps));
}

@compute @workgroup_size(WORKGROUP)
fn layer_norm(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = flat_index(id, groups, WORKGROUP);
  if (row >= params.rows) { return; }
  let start = row * params.extent;
  let stats = measure(start);
  for (var k = 0u; k < params.extent; k++) {
    out[start + k] = (x[start + k] - stats.mean) * stats.invstd * weight[k] + bias[k];
  }
}

// Also leaves dy * xhat, whose sum over rows is the weight's gradient.
@compute @workgroup_size(WORKGROUP)
fn layer_norm_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = flat_index(id, groups, WORKGROUP);
  if (row >= params.rows) { return; }
  let start = row * params.extent;
  let stats = measure(start);
  var sum = 0.0;
  var product = 0.0;
  for (var k = 0u; k < params.extent; k++) {
    let xhat = (x[start + k] - stats.mean) * stats.invstd;
    let g = dy[start + k] * weight[k];
    sum += g;
    product += g * xhat;
  }
  let count = f32(params.extent);
  for (var k = 0u; k < params.extent; k++) {
    let xhat = (x[start + k] - stats.mean) * stats.invstd;
    xhat_dy[start + k] = dy[start + k] * xhat;
    out[start + k] = stats.invstd * (dy[start + k] * weight[k] - sum / count - xhat * product / count);
  }
}
