// Batch normalisation over all axes but the last, with what follows it: x is [rows, channels], rows = N * H * W.
//   y = relu((x - mean) * invstd * weight + bias + residual)
// An invocation takes V channels of a chunk of rows: neighbours read neighbouring memory, and what belongs to the channel
// is read once. Statistics are gathered by chunk, each relative to its own first row so that a large mean costs no digits,
// and merged in a fixed order (Chan, Golub and LeVeque, 1979).
//
// The backward goes through memory twice: once for the sums over the rows, once for dx. The gradient before the ReLU is
// dy where the output was above 0; without a residual that is computed from x again instead of being read.

struct Params {
  rows: u32,
  channels: u32, // in units of V
  chunks: u32,
  band: u32,     // rows lie in bands of so many,
  within: u32,   // and each band in so many chunks that take its rows in turn
  eps: f32,
  momentum: f32,
  update: u32,   // 1: move the running statistics
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> y: array<V>;       // the output
@group(0) @binding(3) var<storage, read> dy: array<V>;
@group(0) @binding(4) var<storage, read> more_dy: array<V>; // to be added to dy
@group(0) @binding(5) var<storage, read> residual: array<V>;
@group(0) @binding(6) var<storage, read> weight: array<V>;
@group(0) @binding(7) var<storage, read> bias: array<V>;
@group(0) @binding(8) var<storage, read> stats: array<V>;   // [4, channels]: mean, 1 / sqrt(variance + eps), weight, bias
@group(0) @binding(9) var<storage, read> partial: array<V>; // [2, chunks, channels]
@group(0) @binding(10) var<storage, read> dbias: array<V>;  // sum of the gradient
@group(0) @binding(11) var<storage, read> dweight: array<V>; // sum of the gradient times xhat
@group(0) @binding(12) var<storage, read_write> running_mean: array<V>;
@group(0) @binding(13) var<storage, read_write> running_var: array<V>;
@group(0) @binding(14) var<storage, read_write> out: array<V>;
@group(0) @binding(15) var<storage, read_write> kept: array<V>;     // the gradient before the ReLU
@group(0) @binding(16) var<storage, read_write> sums_out: array<V>; // as partial
@group(0) @binding(17) var<storage, read_write> second_out: array<V>; // beside out

override RELU = false;       // a ReLU follows
override RESIDUAL = false;   // something is added before it
override FROM_OUTPUT = false; // what the ReLU let through is read from y, not computed from x
override ADD = false;        // more_dy
override KEEP = false;       // writes kept
override SUMS = false;       // writes sums_out

const WORKGROUP = 64u;
override MERGE = 64u; // invocations that merge the chunks of one V

// Rows of a chunk: `begin`, `begin + within`, ... below `end`.
struct Rows { begin: u32, end: u32 }

fn rows_of(chunk: u32) -> Rows {
  let band = chunk / params.within;
  return Rows(band * params.band + chunk - band * params.within, min((band + 1u) * params.band, params.rows));
}

// How many they are. The last band's may be none.
fn count_of(chunk: u32) -> f32 {
  let rows = rows_of(chunk);
  return f32((max(rows.end, rows.begin) - rows.begin + params.within - 1u) / params.within);
}

// What an invocation goes through.
struct Walk { begin: u32, end: u32, step: u32, channel: u32 }

fn walk(i: u32) -> Walk {
  let chunk = i / params.channels;
  let channel = i - chunk * params.channels;
  let rows = rows_of(chunk);
  return Walk(rows.begin * params.channels + channel, rows.end * params.channels, params.within * params.channels, channel);
}

fn is_past(i: u32) -> bool {
  return i >= params.chunks * params.channels;
}

struct Channel { mean: V, invstd: V, scale: V, bias: V }

fn channel_of(c: u32) -> Channel {
  let invstd = stats[params.channels + c];
  return Channel(stats[c], invstd, invstd * stats[2u * params.channels + c], stats[3u * params.channels + c]);
}

fn normalised(v: V, c: Channel) -> V {
  return (v - c.mean) * c.scale + c.bias;
}

// [2, chunks, channels]: each chunk's mean, and its sum of squared distances from it.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_partial(@builtin(global_invocation_id) id: vec3u) {
  if (is_past(id.x)) { return; }
  let w = walk(id.x);
  let count = count_of(id.x / params.channels);
  let shift = x[min(w.begin, w.end - 1u)];
  var sum = V(0.0);
  var squares = V(0.0);
  for (var at = w.begin; at < w.end; at += w.step) {
    let d = x[at] - shift;
    sum += d;
    squares += d * d;
  }
  // Nothing of another channel may get into a chunk without rows.
  out[id.x] = select(shift + sum / max(count, 1.0), V(0.0), count == 0.0);
  out[params.chunks * params.channels + id.x] = max(squares - sum * sum / max(count, 1.0), V(0.0));
}

var<workgroup> shared_sums: array<V, MERGE>;

// The sum over the workgroup, in a fixed order.
fn merged(value: V, lane: u32) -> V {
  shared_sums[lane] = value;
  for (var half = MERGE / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_sums[lane] += shared_sums[lane + half]; }
  }
  workgroupBarrier();
  let total = shared_sums[0];
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(MERGE)
fn batch_norm_merge(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.y * groups.x + group.x;
  if (channel >= params.channels) { return; }
  let total = f32(params.rows);
  // The mean of the chunks' means, relative to the first one.
  let shift = partial[channel];
  var offset = V(0.0);
  for (var k = lane; k < params.chunks; k += MERGE) {
    offset += count_of(k) * (partial[k * params.channels + channel] - shift);
  }
  let mean = shift + merged(offset, lane) / total;
  var distances = V(0.0);
  for (var k = lane; k < params.chunks; k += MERGE) {
    let d = partial[k * params.channels + channel] - mean;
    distances += partial[(params.chunks + k) * params.channels + channel] + count_of(k) * d * d;
  }
  let squares = merged(distances, lane);
  if (lane > 0u) { return; }
  out[channel] = mean;
  out[params.channels + channel] = V(1.0) / sqrt(squares / total + params.eps);
  out[2u * params.channels + channel] = weight[channel];
  out[3u * params.channels + channel] = bias[channel];
  if (params.update == 1u) {
    running_mean[channel] = (1.0 - params.momentum) * running_mean[channel] + params.momentum * mean;
    // The running variance is the unbiased one, as in PyTorch.
    running_var[channel] = (1.0 - params.momentum) * running_var[channel] + params.momentum * squares / (total - 1.0);
  }
}

// The same four rows, from the running statistics.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_running(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= params.channels) { return; }
  out[channel] = running_mean[channel];
  out[params.channels + channel] = V(1.0) / sqrt(running_var[channel] + params.eps);
  out[2u * params.channels + channel] = weight[channel];
  out[3u * params.channels + channel] = bias[channel];
}

// The running statistics' normalisation as one factor and one addend a channel: y = x * scale + shift.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_affine(@builtin(global_invocation_id) id: vec3u) {
  let channel = id.x;
  if (channel >= params.channels) { return; }
  let factor = weight[channel] / sqrt(running_var[channel] + params.eps);
  out[channel] = factor;
  second_out[channel] = bias[channel] - running_mean[channel] * factor;
}

@compute @workgroup_size(WORKGROUP)
fn batch_norm_apply(@builtin(global_invocation_id) id: vec3u) {
  if (is_past(id.x)) { return; }
  let w = walk(id.x);
  let c = channel_of(w.channel);
  for (var at = w.begin; at < w.end; at += w.step) {
    var v = normalised(x[at], c);
    if (RESIDUAL) { v += residual[at]; }
    // Not max(): a NaN must stay a NaN.
    if (RELU) { v = select(v, V(0.0), v < V(0.0)); }
    out[at] = v;
  }
}

// The gradient before the ReLU. As PyTorch: it passes unless the output is <= 0, so it passes a NaN.
fn gradient(at: u32, c: Channel) -> V {
  var g = dy[at];
  if (ADD) { g += more_dy[at]; }
  if (RELU) {
    var after = V(0.0);
    if (FROM_OUTPUT) { after = y[at]; } else { after = normalised(x[at], c); }
    g = select(g, V(0.0), after <= V(0.0));
  }
  return g;
}

// [2, chunks, channels]: sums of the gradient and of the gradient times xhat over each chunk.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_sums(@builtin(global_invocation_id) id: vec3u) {
  if (is_past(id.x)) { return; }
  let w = walk(id.x);
  let c = channel_of(w.channel);
  var sum = V(0.0);
  var product = V(0.0);
  for (var at = w.begin; at < w.end; at += w.step) {
    let g = gradient(at, c);
    if (KEEP) { kept[at] = g; }
    sum += g;
    product += g * ((x[at] - c.mean) * c.invstd);
  }
  sums_out[id.x] = sum;
  sums_out[params.chunks * params.channels + id.x] = product;
}

@compute @workgroup_size(MERGE)
fn batch_norm_backward_merge(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = group.y * groups.x + group.x;
  if (channel >= params.channels) { return; }
  var sum = V(0.0);
  var product = V(0.0);
  for (var k = lane; k < params.chunks; k += MERGE) {
    sum += partial[k * params.channels + channel];
    product += partial[(params.chunks + k) * params.channels + channel];
  }
  sum = merged(sum, lane);
  product = merged(product, lane);
  if (lane > 0u) { return; }
  out[channel] = sum;
  second_out[channel] = product;
}

// Normalised by the batch: dx = weight * invstd * (g - mean(g) - xhat * mean(g * xhat)).
@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_batch(@builtin(global_invocation_id) id: vec3u) {
  if (is_past(id.x)) { return; }
  let w = walk(id.x);
  let c = channel_of(w.channel);
  let total = f32(params.rows);
  let mean_g = dbias[w.channel] / total;
  let slope = c.invstd * (dweight[w.channel] / total);
  for (var at = w.begin; at < w.end; at += w.step) {
    out[at] = c.scale * (gradient(at, c) - mean_g - (x[at] - c.mean) * slope);
  }
}

// Normalised by running statistics, which are constants: dx = weight * invstd * g, and the sums on the way.
@compute @workgroup_size(WORKGROUP)
fn batch_norm_backward_running(@builtin(global_invocation_id) id: vec3u) {
  if (is_past(id.x)) { return; }
  let w = walk(id.x);
  let c = channel_of(w.channel);
  var sum = V(0.0);
  var product = V(0.0);
  for (var at = w.begin; at < w.end; at += w.step) {
    let g = gradient(at, c);
    if (KEEP) { kept[at] = g; }
    if (SUMS) {
      sum += g;
      product += g * ((x[at] - c.mean) * c.invstd);
    }
    out[at] = c.scale * g;
  }
  if (SUMS) {
    sums_out[id.x] = sum;
    sums_out[params.chunks * params.channels + id.x] = product;
  }
}
