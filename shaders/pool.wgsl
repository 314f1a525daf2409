// Max, average and adaptive average pooling over NHWC, forward and backward. Gradients are gathered: each input element
// adds up the windows it lies in, so nothing is written twice and the order is fixed.
//
// An invocation has one column and one V of channels (the grid's x) of an image (z), and goes down the rows with the
// stride of the grid's y: it divides once. Where each maximum stands is kept as its place in its window, four to a word.

struct Params {
  batch: u32, height: u32, width: u32,
  channels: u32, // in units of V
  out_height: u32, out_width: u32,
  kernel_h: u32, kernel_w: u32,
  stride_h: u32, stride_w: u32,
  pad_h: u32, pad_w: u32,
  count_include_pad: u32,
}

alias Stored = V; // in memory, where elements may be f16

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> dy: array<Stored>;
@group(0) @binding(3) var<storage, read> index: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<Stored>;
@group(0) @binding(5) var<storage, read_write> out_index: array<u32>;

const WORKGROUP = 64u;

struct Column { w: u32, c: u32, inside: bool }

fn column_of(i: u32, width: u32) -> Column {
  let w = i / params.channels;
  return Column(w, i - w * params.channels, w < width);
}

fn input_at(n: u32, h: u32, column: Column) -> u32 {
  return ((n * params.height + h) * params.width + column.w) * params.channels + column.c;
}

fn output_at(n: u32, h: u32, column: Column) -> u32 {
  return ((n * params.out_height + h) * params.out_width + column.w) * params.channels + column.c;
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

struct Best { value: V, at: U }

fn best_of(n: u32, oh: u32, column: Column) -> Best {
  let rows = window(oh, params.stride_h, params.pad_h, params.kernel_h, params.height);
  let columns = window(column.w, params.stride_w, params.pad_w, params.kernel_w, params.width);
  // Places count from the window's corner, which may lie in the padding.
  let down = rows.begin + params.pad_h - oh * params.stride_h;
  let across = columns.begin + params.pad_w - column.w * params.stride_w;
  var best = Best(V(bitcast<f32>(0xff800000u + params.batch * 0u)), U(down * params.kernel_w + across));
  for (var h = rows.begin; h < rows.end; h++) {
    var at = ((n * params.height + h) * params.width + columns.begin) * params.channels + column.c;
    var place = (h + params.pad_h - oh * params.stride_h) * params.kernel_w + across;
    for (var w = columns.begin; w < columns.end; w++) {
      let v = V(x[at]);
      // As PyTorch: the first of equals wins, and a NaN beats everything.
      let better = (v > best.value) | nan_in(v);
      best.value = select(best.value, v, better);
      best.at = select(best.at, U(place), better);
      at += params.channels;
      place++;
    }
  }
  return best;
}

@compute @workgroup_size(WORKGROUP)
fn max_pool(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = column_of(id.x, params.out_width);
  if (!column.inside) { return; }
  for (var h = id.y; h < params.out_height; h += groups.y) {
    out[output_at(id.z, h, column)] = Stored(best_of(id.z, h, column).value);
  }
}

@compute @workgroup_size(WORKGROUP)
fn max_pool_indices(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = column_of(id.x, params.out_width);
  if (!column.inside) { return; }
  for (var h = id.y; h < params.out_height; h += groups.y) {
    let best = best_of(id.z, h, column);
    let at = output_at(id.z, h, column);
    out[at] = Stored(best.value);
    out_index[at] = packed(best.at);
  }
}

// Two columns and two rows of the input at once: their windows are mostly the same.
@compute @workgroup_size(WORKGROUP)
fn max_pool_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let half = id.x / params.channels;
  let c = id.x - half * params.channels;
  let left = 2u * half;
  if (left >= params.width) { return; }
  let right = min(left + 1u, params.width - 1u);
  let first = windows_over(left, params.stride_w, params.pad_w, params.kernel_w, params.out_width);
  let last = windows_over(right, params.stride_w, params.pad_w, params.kernel_w, params.out_width);
  for (var top = 2u * id.y; top < params.height; top += 2u * groups.y) {
    let bottom = min(top + 1u, params.height - 1u);
    let begin = windows_over(top, params.stride_h, params.pad_h, params.kernel_h, params.out_height).begin;
    let end = windows_over(bottom, params.stride_h, params.pad_h, params.kernel_h, params.out_height).end;
    var sum00 = V(0.0);
    var sum01 = V(0.0);
    var sum10 = V(0.0);
    var sum11 = V(0.0);
    for (var h = begin; h < end; h++) {
      let down0 = (top + params.pad_h - h * params.stride_h);
      let down1 = (bottom + params.pad_h - h * params.stride_h);
      for (var w = first.begin; w < last.end; w++) {
        let at = output_at(id.z, h, Column(w, c, true));
        let place = unpacked(index[at]);
        let g = V(dy[at]);
        // Past the window's edge a place is one of another row: it must be inside in both directions.
        let across0 = left + params.pad_w - w * params.stride_w;
        let across1 = right + params.pad_w - w * params.stride_w;
        sum00 += taken(g, place, down0, across0);
        sum01 += taken(g, place, down0, across1);
        sum10 += taken(g, place, down1, across0);
        sum11 += taken(g, place, down1, across1);
      }
    }
    out[input_at(id.z, top, Column(left, c, true))] = Stored(sum00);
    if (right > left) { out[input_at(id.z, top, Column(right, c, true))] = Stored(sum01); }
    if (bottom > top) { out[input_at(id.z, bottom, Column(left, c, true))] = Stored(sum10); }
    if (right > left && bottom > top) { out[input_at(id.z, bottom, Column(right, c, true))] = Stored(sum11); }
  }
}

// The gradient where the window's maximum stands at this place. Outside of the window `down` or `across` is too large
// (below the corner it wraps round).
fn taken(g: V, place: U, down: u32, across: u32) -> V {
  let at = select(0xffffffffu, down * params.kernel_w + across, down < params.kernel_h && across < params.kernel_w);
  return select(V(0.0), g, place == U(at));
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

// The sum of a part of one image's column of channels.
fn sum_of(n: u32, c: u32, rows: Range, columns: Range) -> V {
  var sum = V(0.0);
  for (var h = rows.begin; h < rows.end; h++) {
    var at = ((n * params.height + h) * params.width + columns.begin) * params.channels + c;
    for (var w = columns.begin; w < columns.end; w++) {
      sum += V(x[at]);
      at += params.channels;
    }
  }
  return sum;
}

@compute @workgroup_size(WORKGROUP)
fn avg_pool(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = column_of(id.x, params.out_width);
  if (!column.inside) { return; }
  let columns = window(column.w, params.stride_w, params.pad_w, params.kernel_w, params.width);
  for (var h = id.y; h < params.out_height; h += groups.y) {
    let rows = window(h, params.stride_h, params.pad_h, params.kernel_h, params.height);
    out[output_at(id.z, h, column)] = Stored(sum_of(id.z, column.c, rows, columns) / divisor(h, column.w));
  }
}

@compute @workgroup_size(WORKGROUP)
fn avg_pool_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = column_of(id.x, params.width);
  if (!column.inside) { return; }
  let columns = windows_over(column.w, params.stride_w, params.pad_w, params.kernel_w, params.out_width);
  for (var row = id.y; row < params.height; row += groups.y) {
    let rows = windows_over(row, params.stride_h, params.pad_h, params.kernel_h, params.out_height);
    var sum = V(0.0);
    for (var h = rows.begin; h < rows.end; h++) {
      for (var w = columns.begin; w < columns.end; w++) {
        sum += V(dy[output_at(id.z, h, Column(w, column.c, true))]) / divisor(h, w);
      }
    }
    out[input_at(id.z, row, column)] = Stored(sum);
  }
}

// Input rows of output `o` when `extent` rows are shared out over `count`: floor(o * extent / count) to the ceiling of
// (o + 1) * extent / count.
fn region(o: u32, extent: u32, count: u32) -> Range {
  return Range(o * extent / count, ((o + 1u) * extent + count - 1u) / count);
}

@compute @workgroup_size(WORKGROUP)
fn adaptive_avg_pool(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = column_of(id.x, params.out_width);
  if (!column.inside) { return; }
  let columns = region(column.w, params.width, params.out_width);
  for (var h = id.y; h < params.out_height; h += groups.y) {
    let rows = region(h, params.height, params.out_height);
    out[output_at(id.z, h, column)] = Stored(sum_of(id.z, column.c, rows, columns) / f32((rows.end - rows.begin) * (columns.end - columns.begin)));
  }
}

// Outputs whose region holds row `i`: from floor(i * count / extent) to where they begin past it.
fn regions_over(i: u32, extent: u32, count: u32) -> Range {
  return Range(i * count / extent, min(count, ((i + 1u) * count + extent - 1u) / extent));
}

@compute @workgroup_size(WORKGROUP)
fn adaptive_avg_pool_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = column_of(id.x, params.width);
  if (!column.inside) { return; }
  let over = regions_over(column.w, params.width, params.out_width);
  for (var row = id.y; row < params.height; row += groups.y) {
    let down = regions_over(row, params.height, params.out_height);
    var sum = V(0.0);
    for (var h = down.begin; h < down.end; h++) {
      let rows = region(h, params.height, params.out_height);
      for (var w = over.begin; w < over.end; w++) {
        let columns = region(w, params.width, params.out_width);
        let share = f32((rows.end - rows.begin) * (columns.end - columns.begin));
        sum += V(dy[output_at(id.z, h, Column(w, column.c, true))]) / share;
      }
    }
    out[input_at(id.z, row, column)] = Stored(sum);
  }
}
