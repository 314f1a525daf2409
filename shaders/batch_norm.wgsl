// Batch normalisation over all axes but the last: x is [rows, channels], rows = N * H * W.
//   y = (x - mean) * invstd * weight + bias
// Statistics are gathered in chunks of rows, each relative to its own first row so that a large mean costs no digits,
// and merged in a fixed order (Chan, Golub and LeVeque, 1979).

struct Params {
  rows: u32,
  channels: u32,
  chunk: u32,   // rows in a chunk
  chunks: u32,
  eps: f32,
  momentum: f32,
  update: u32,  // 1: move the running statistics
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> stats: array<f32>;   // [2, channels]: mean, 1 / sqrt(variance + eps)
@group(0) @binding(6) var<storage, read> partial: array<f32>; // [2, chunks, channels]
@group(0) @binding(7) var<storage, read> sums: array<f32>;    // [2, channels]: sum dy, sum dy * xhat
@group(0) @binding(8) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(9) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(10) var<storage, read_write> out: array<f32>;
@group(0) @binding(11) var<storage, read_write> shift_out: array<f32>; // of batch_norm_affine, beside out

const WORKGROUP = 64u;

// [2, chunks, channels]: each chunk's mean, and its sum of squared distances from it.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_partial(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.chunks * params.channels) { return; }
  let channel = i % params.channels;
  let begin = (i / params.channels) * params.chunk;
  let end = min(begin + params.chunk, params.rows);
  let shift = x[begin * params.channels + channel];
  var sum = 0.0;
  var squares = 0.0;
  for (var row = begin; row < end; row++) {
    let d = x[row * params.channels + channel] - shift;
    sum += d;
    squares += d * d;
  }
  let count = f32(end - begin);
  out[i] = shift + sum / count;
  out[params.chunks * params.channels + i] = max(squares - sum * sum / count, 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_merge(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= params.channels) { return; }
  let total = f32(params.rows);
  // The mean of the chunks' means, relative to the first one.
  let shift = partial[channel];
  var mean = 0.0;
  for (var k = 0u; k < params.chunks; k++) {
    let count = f32(min(params.chunk, params.rows - k * params.chunk));
    mean += count * (partial[k * params.channels + channel] - shift);
  }
  mean = shift + mean / total;
  var squares = 0.0;
  for (var k = 0u; k < params.chunks; k++) {
    let count = f32(min(params.chunk, params.rows - k * params.chunk));
    let d = partial[k * params.channels + channel] - mean;
    squares += partial[(params.chunks + k) * params.channels + channel] + count * d * d;
  }
  out[channel] = mean;
  out[params.channels + channel] = 1.0 / sqrt(squares / total + params.eps);
  if (params.update == 1u) {
    running_mean[channel] = (1.0 - params.momentum) * running_mean[channel] + params.momentum * mean;
    // The running variance is the unbiased one, as in PyTorch.
    running_var[channel] = (1.0 - params.momentum) * running_var[channel] + params.momentum * squares / (total - 1.0);
  }
}

// The same two rows, from the running statistics.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_running(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= params.channels) { return; }
  out[channel] = running_mean[channel];
  out[params.channels + channel] = 1.0 / sqrt(running_var[channel] + params.eps);
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_apply(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows * params.channels) { return; }
  let channel = i % params.channels;
  out[i] = (x[i] - stats[channel]) * stats[params.channels + channel] * weight[channel] + bias[channel];
}

// [2, chunks, channels]: sums of dy and of dy * xhat over each chunk.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_partial(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.chunks * params.channels) { return; }
  let channel = i % params.channels;
  let begin = (i / params.channels) * params.chunk;
  let end = min(begin + params.chunk, params.rows);
  let mean = stats[channel];
  let invstd = stats[params.channels + channel];
  var sum = 0.0;
  var product = 0.0;
  for (var row = begin; row < end; row++) {
    let at = row * params.channels + channel;
    sum += dy[at];
    product += dy[at] * (x[at] - mean) * invstd;
  }
  out[i] = sum;
  out[params.chunks * params.channels + i] = product;
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_merge(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= 2u * params.channels) { return; }
  let start = (i / params.channels) * params.chunks * params.channels + i % params.channels;
  var sum = 0.0;
  for (var k = 0u; k < params.chunks; k++) { sum += partial[start + k * params.channels]; }
  out[i] = sum;
}

// Normalised by the batch: dx = weight * invstd * (dy - mean(dy) - xhat * mean(dy * xhat)).
@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_batch(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows * params.channels) { return; }
  let channel = i % params.channels;
  let invstd = stats[params.channels + channel];
  let xhat = (x[i] - stats[channel]) * invstd;
  let total = f32(params.rows);
  out[i] = weight[channel] * invstd * (dy[i] - sums[channel] / total - xhat * sums[params.channels + channel] / total);
}

// Normalised by running statistics, which are constants: dx = weight * invstd * dy.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_running(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.rows * params.channels) { return; }
  let channel = i % params.channels;
  out[i] = weight[channel] * stats[params.channels + channel] * dy[i];
}

// The running statistics' normalisation as one factor and one addend a channel: y = x * scale + shift.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_affine(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= params.channels) { return; }
  let factor = weight[channel] / sqrt(running_var[channel] + params.eps);
  out[channel] = factor;
  shift_out[channel] = bias[channel] - running_mean[channel] * factor;
}
