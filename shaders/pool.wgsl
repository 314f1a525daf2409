// Max, average and adaptive average pooling over NHWC, forward and backward. Gradients are gathered: each input
// element adds up the windows it lies in, so nothing is written twice and the order is fixed.

struct Params {
  batch: u32, height: u32, width: u32, channels: u32,
  out_height: u32, out_width: u32,
  kernel_h: u32, kernel_w: u32,
  stride_h: u32, stride_w: u32,
  pad_h: u32, pad_w: u32,
  count_include_pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> index: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> out_index: array<u32>;

const WORKGROUP = 64u;

struct Place { n: u32, h: u32, w: u32, c: u32 }

fn place_of(i: u32, height: u32, width: u32) -> Place {
  let c = i % params.channels;
  let w = (i / params.channels) % width;
  let h = (i / (params.channels * width)) % height;
  return Place(i / (params.channels * width * height), h, w, c);
}

fn input_at(n: u32, h: u32, w: u32, c: u32) -> u32 {
  return ((n * params.height + h) * params.width + w) * params.channels + c;
}

fn output_at(n: u32, h: u32, w: u32, c: u32) -> u32 {
  return ((n * params.out_height + h) * params.out_width + w) * params.channels + c;
}

struct Range { begin: u32, end: u32 }

// Input rows (or columns) that window `o` covers, padding cut off.
fn window(o: u32, stride: u32, pad: u32, size: u32, extent: u32) -> Range {
  let start = o * stride;
  return Range(max(start, pad) - pad, min(start + size, extent + pad) - min(pad, start + size));
}

// Windows that cover input row `i`: those o with o * stride <= i + pad < o * stride + size.
fn windows_over(i: u32, stride: u32, pad: u32, size: u32, count: u32) -> Range {
  let at = i + pad;
  let first = select(0u, (at - size) / stride + 1u, at >= size);
  return Range(min(first, count), min(at / stride + 1u, count));
}

struct Best { value: f32, at: u32 }

fn best_of(p: Place) -> Best {
  let rows = window(p.h, params.stride_h, params.pad_h, params.kernel_h, params.height);
  let columns = window(p.w, params.stride_w, params.pad_w, params.kernel_w, params.width);
  var best = Best(bitcast<f32>(0xff800000u + params.batch * 0u), rows.begin * params.width + columns.begin);
  for (var h = rows.begin; h < rows.end; h++) {
    for (var w = columns.begin; w < columns.end; w++) {
      let v = x[input_at(p.n, h, w, p.c)];
      // As PyTorch: the first of equals wins, and a NaN beats everything.
      if (v > best.value || is_nan(v)) { best = Best(v, h * params.width + w); }
    }
  }
  return best;
}

@compute @workgroup_size(WORKGROUP)
fn max_pool(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.batch * params.out_height * params.out_width * params.channels) { return; }
  out[i] = best_of(place_of(i, params.out_height, params.out_width)).value;
}

@compute @workgroup_size(WORKGROUP)
fn max_pool_indices(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.batch * params.out_height * params.out_width * params.channels) { return; }
  let best = best_of(place_of(i, params.out_height, params.out_width));
  out[i] = best.value;
  out_index[i] = best.at;
}

@compute @workgroup_size(WORKGROUP)
fn max_pool_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.batch * params.height * params.width * params.channels) { return; }
  let p = place_of(i, params.height, params.width);
  let rows = windows_over(p.h, params.stride_h, params.pad_h, params.kernel_h, params.out_height);
  let columns = windows_over(p.w, params.stride_w, params.pad_w, params.kernel_w, params.out_width);
  let here = p.h * params.width + p.w;
  var sum = 0.0;
  for (var h = rows.begin; h < rows.end; h++) {
    for (var w = columns.begin; w < columns.end; w++) {
      let at = output_at(p.n, h, w, p.c);
      if (index[at] == here) { sum += dy[at]; }
    }
  }
  out[i] = sum;
}

fn divisor(h: u32, w: u32) -> f32 {
  if (params.count_include_pad == 1u) {
    // PyTorch cuts the window at the padded border (it matters with ceil_mode).
    let tall = min(h * params.stride_h + params.kernel_h, params.height + 2u * params.pad_h) - h * params.stride_h;
    let wide = min(w * params.stride_w + params.kernel_w, params.width + 2u * params.pad_w) - w * params.stride_w;
    return f32(tall * wide);
  }
  let rows = window(h, params.stride_h, params.pad_h, params.kernel_h, params.height);
  let columns = window(w, params.stride_w, params.pad_w, params.kernel_w, params.width);
  return f32((rows.end - rows.begin) * (columns.end - columns.begin));
}

@compute @workgroup_size(WORKGROUP)
fn avg_pool(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.batch * params.out_height * params.out_width * params.channels) { return; }
  let p = place_of(i, params.out_height, params.out_width);
  let rows = window(p.h, params.stride_h, params.pad_h, params.kernel_h, params.height);
  let columns = window(p.w, params.stride_w, params.pad_w, params.kernel_w, params.width);
  var sum = 0.0;
  for (var h = rows.begin; h < rows.end; h++) {
    for (var w = columns.begin; w < columns.end; w++) { sum += x[input_at(p.n, h, w, p.c)]; }
  }
  out[i] = sum / divisor(p.h, p.w);
}

@compute @workgroup_size(WORKGROUP)
fn avg_pool_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.batch * params.height * params.width * params.channels) { return; }
  let p = place_of(i, params.height, params.width);
  let rows = windows_over(p.h, params.stride_h, params.pad_h, params.kernel_h, params.out_height);
  let columns = windows_over(p.w, params.stride_w, params.pad_w, params.kernel_w, params.out_width);
  var sum = 0.0;
  for (var h = rows.begin; h < rows.end; h++) {
    for (var w = columns.begin; w < columns.end; w++) { sum += dy[output_at(p.n, h, w, p.c)] / divisor(h, w); }
  }
  out[i] = sum;
}

// Adaptive: output o covers input rows floor(o * extent / count) up to ceil((o + 1) * extent / count).
fn region(o: u32, extent: u32, count: u32) -> Range {
  return Range(o * extent / count, ((o + 1u) * extent + count - 1u) / count);
}

@compute @workgroup_size(WORKGROUP)
fn adaptive_avg_pool(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.batch * params.out_height * params.out_width * params.channels) { return; }
  let p = place_of(i, params.out_height, params.out_width);
  let rows = region(p.h, params.height, params.out_height);
  let columns = region(p.w, params.width, params.out_width);
  var sum = 0.0;
  for (var h = rows.begin; h < rows.end; h++) {
    for (var w = columns.begin; w < columns.end; w++) { sum += x[input_at(p.n, h, w, p.c)]; }
  }
  out[i] = sum / f32((rows.end - rows.begin) * (columns.end - columns.begin));
}

@compute @workgroup_size(WORKGROUP)
fn adaptive_avg_pool_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.batch * params.height * params.width * params.channels) { return; }
  let p = place_of(i, params.height, params.width);
  var sum = 0.0;
  // Regions that hold a row are those from floor(row * count / extent) to where they begin past it.
  for (var h = p.h * params.out_height / params.height; h < params.out_height; h++) {
    let rows = region(h, params.height, params.out_height);
    if (rows.begin > p.h) { break; }
    for (var w = p.w * params.out_width / params.width; w < params.out_width; w++) {
      let columns = region(w, params.width, params.out_width);
      if (columns.begin > p.w) { break; }
      sum += dy[output_at(p.n, h, w, p.c)] / f32((rows.end - rows.begin) * (columns.end - columns.begin));
    }
  }
  out[i] = sum;
}
