// Convolution for GPUs as an implicit matrix product, [pixels, taps * channels] x [taps * channels, columns], in tiles
// of workgroup memory (lib/workgroupTile.wgsl); the left side is gathered from the image on the way in. The forward pass
// and the input gradient alike: conv2d.wgsl says how positions are walked. The weight is read as it lies in both; the
// gradient only has other distances. The depth may be split over workgroups, each of which writes a part of its own.
//
// The depth goes tap by tap, each padded to DEPTH channels; or FLAT, without padding, where channels are few and known
// when compiled (a stem), as each element then has a tap of its own to find.

struct Params {
  pixels: u32,    // batch * extent_y * extent_x: target positions of this dispatch
  extent_y: u32,
  extent_x: u32,
  target_y: u32,  // extents of the whole target
  target_x: u32,
  first_y: u32,
  first_x: u32,
  spacing_y: u32,
  spacing_x: u32,
  source_y: u32,
  source_x: u32,
  stride_y: u32,
  stride_x: u32,
  offset_y: i32,
  offset_x: i32,
  step_y: i32,
  step_x: i32,
  taps_y: u32,
  taps_x: u32,
  tap_first_y: u32,
  tap_first_x: u32,
  tap_step_y: u32,
  tap_step_x: u32,
  kernel_x: u32,
  groups: u32,
  channels: u32,  // source channels of a group
  columns: u32,   // target channels of a group
  weight_tap: u32,     // distances in the weight between taps, rows as they lie in memory, and groups
  weight_stride: u32,
  weight_group: u32,
  steps: u32,     // of DEPTH, done by one workgroup
  part: u32,      // elements of a part
  scale: u32,     // 1: multiplied
  bias: u32,      // 1: added
  residual: u32,  // 1: added
  relu: u32,      // 1: applied last
}

// Types of the elements in memory: fours, or single elements where channels are no multiple of four.
alias X = vec4f;
alias W = vec4f;
alias Quad = vec4f;
const X_WIDTH = 4u;
const W_WIDTH = 4u;
const FLAT = false;
const CHANNELS = 1u; // as in params, and as a constant where FLAT
const TAPS_X = 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> weight: array<W>;

// A step of the depth: a tap and its first channel; or where FLAT, the place in all taps' channels.
struct Step {
  ky: u32,
  kx: u32,
  channel: u32,
}

// What a load of the left side needs of its pixel.
struct Origin {
  image: u32, // times source_y
  top: i32,
  left: i32,
}

fn read_x(at: u32, count: u32) -> vec4f {
  let first = select(0u, at, count > 0u);
  if (X_WIDTH == 4u) { return select(vec4f(), vec4f(Quad(x[first / 4u])), count > 0u); }
  let last = first + max(count, 1u) - 1u;
  let v = vec4f(vec4f(Quad(x[first])).x, vec4f(Quad(x[min(first + 1u, last)])).x, vec4f(Quad(x[min(first + 2u, last)])).x, vec4f(Quad(x[min(first + 3u, last)])).x);
  return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

fn read_weight(at: u32, count: u32) -> vec4f {
  let first = select(0u, at, count > 0u);
  if (W_WIDTH == 4u) { return select(vec4f(), vec4f(Quad(weight[first / 4u])), count > 0u); }
  let last = first + max(count, 1u) - 1u;
  let v = vec4f(vec4f(Quad(weight[first])).x, vec4f(Quad(weight[min(first + 1u, last)])).x, vec4f(Quad(weight[min(first + 2u, last)])).x, vec4f(Quad(weight[min(first + 3u, last)])).x);
  return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

// How many elements from `at` on lie below `extent`.
fn below(at: u32, extent: u32) -> u32 {
  return extent - min(at, extent);
}

// Where FLAT: the tap and channel of a place in the depth. A place past the end has a ky past its end.
fn step_at(depth: u32) -> Step {
  let tap = depth / CHANNELS;
  return Step(tap / TAPS_X, tap % TAPS_X, depth % CHANNELS);
}

// The source at a tap, from `channel` on: `most` elements at most. Nothing outside the image is read.
fn gather(origin: Origin, at: Step, group: u32, most: u32) -> vec4f {
  let row = u32(origin.top + i32(at.ky) * params.step_y);
  let col = u32(origin.left + i32(at.kx) * params.step_x);
  // A negative position is a huge one here.
  let inside = row < params.source_y && col < params.source_x && at.ky < params.taps_y;
  let start = (((origin.image + row) * params.source_x + col) * params.groups + group) * params.channels + at.channel;
  return read_x(start, select(0u, min(most, below(at.channel, params.channels)), inside));
}

fn fetch_left(i: u32, origin: Origin, step: Step, group: u32) -> vec4f {
  let depth = step.channel + place(i, TILE_M, true).y;
  if (!FLAT) { return gather(origin, Step(step.ky, step.kx, depth), group, 4u); }
  if (X_WIDTH == 4u) { return gather(origin, step_at(depth), group, 4u); }
  return vec4f(
    gather(origin, step_at(depth), group, 1u).x,
    gather(origin, step_at(depth + 1u), group, 1u).x,
    gather(origin, step_at(depth + 2u), group, 1u).x,
    gather(origin, step_at(depth + 3u), group, 1u).x,
  );
}

// The weight at a tap, from `column` and `channel` on, whichever lies along: `most` elements at most.
fn filter_at(column: u32, at: Step, group: u32, most: u32) -> vec4f {
  let tap = (params.tap_first_y + at.ky * params.tap_step_y) * params.kernel_x + params.tap_first_x + at.kx * params.tap_step_x;
  let start = tap * params.weight_tap + group * params.weight_group;
  let inside = column < params.columns && at.channel < params.channels && at.ky < params.taps_y;
  if (RIGHT_ALONG) {
    return read_weight(start + column * params.weight_stride + at.channel, select(0u, min(most, below(at.channel, params.channels)), inside));
  }
  return read_weight(start + at.channel * params.weight_stride + column, select(0u, below(column, params.columns), inside));
}

fn fetch_right(i: u32, first: u32, step: Step, group: u32) -> vec4f {
  let at = place(i, TILE_N, RIGHT_ALONG);
  let column = first + at.x;
  let depth = step.channel + at.y;
  if (!FLAT) { return filter_at(column, Step(step.ky, step.kx, depth), group, 4u); }
  if (!RIGHT_ALONG || W_WIDTH == 4u) { return filter_at(column, step_at(depth), group, 4u); }
  return vec4f(
    filter_at(column, step_at(depth), group, 1u).x,
    filter_at(column, step_at(depth + 1u), group, 1u).x,
    filter_at(column, step_at(depth + 2u), group, 1u).x,
    filter_at(column, step_at(depth + 3u), group, 1u).x,
  );
}

@compute @workgroup_size(THREADS)
fn conv2d_workgroup(@builtin(local_invocation_index) index: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let thread = thread_of(index);
  let tiles = (params.columns + TILE_N - 1u) / TILE_N;
  let group = workgroup.x / tiles;
  let column = (workgroup.x - group * tiles) * TILE_N;
  let pixel = workgroup.y * TILE_M;
  let per_image = params.extent_y * params.extent_x;

  let taps = params.taps_y * params.taps_x;
  let blocks = (params.channels + DEPTH - 1u) / DEPTH;
  let total = select(taps * blocks, (taps * params.channels + DEPTH - 1u) / DEPTH, FLAT);
  let begin = workgroup.z * params.steps;
  let end = min(begin + params.steps, total);
  var step = Step(0u, 0u, begin * DEPTH);
  if (!FLAT) {
    let tap = begin / blocks;
    step = Step(tap / max(params.taps_x, 1u), tap % max(params.taps_x, 1u), (begin - tap * blocks) * DEPTH);
  }

  // Pixels past the end repeat the last one; they are not written.
  var origins: array<Origin, LEFT_LOADS>;
  for (var i = 0u; i < LEFT_LOADS; i++) {
    let at = min(pixel + place(index + i * THREADS, TILE_M, true).x, params.pixels - 1u);
    let image = at / per_image;
    let within = at - image * per_image;
    let y = within / params.extent_x;
    origins[i] = Origin(
      image * params.source_y,
      i32(y * params.stride_y) + params.offset_y,
      i32((within - y * params.extent_x) * params.stride_x) + params.offset_x,
    );
  }

  var l: array<vec4f, LEFT_LOADS>;
  var r: array<vec4f, RIGHT_LOADS>;
  if (begin < end) {
    for (var i = 0u; i < LEFT_LOADS; i++) { l[i] = fetch_left(index + i * THREADS, origins[i], step, group); }
    for (var i = 0u; i < RIGHT_LOADS; i++) { r[i] = fetch_right(index + i * THREADS, column, step, group); }
  }
  var sum: Sums;
  for (var s = begin; s < end; s++) {
    for (var i = 0u; i < LEFT_LOADS; i++) { left[kept_at(index + i * THREADS, LEFT_ALONG)] = l[i]; }
    for (var i = 0u; i < RIGHT_LOADS; i++) { right[kept_at(index + i * THREADS, RIGHT_ALONG)] = r[i]; }
    workgroupBarrier();
    step.channel += DEPTH;
    if (!FLAT && step.channel >= params.channels) {
      step.channel = 0u;
      step.kx++;
      if (step.kx == params.taps_x) {
        step.kx = 0u;
        step.ky++;
      }
    }
    if (s + 1u < end) {
      for (var i = 0u; i < LEFT_LOADS; i++) { l[i] = fetch_left(index + i * THREADS, origins[i], step, group); }
      for (var i = 0u; i < RIGHT_LOADS; i++) { r[i] = fetch_right(index + i * THREADS, column, step, group); }
    }
    multiply(thread, &sum);
    workgroupBarrier();
  }

  for (var m = 0u; m < ROWS; m++) {
    let at = pixel + row_of(thread, m);
    if (at < params.pixels) {
      let image = at / per_image;
      let within = at - image * per_image;
      let y = within / params.extent_x;
      let row = params.first_y + y * params.spacing_y;
      let col = params.first_x + (within - y * params.extent_x) * params.spacing_x;
      let origin = (((image * params.target_y + row) * params.target_x + col) * params.groups + group) * params.columns;
      for (var n = 0u; n < QUADS; n++) {
        let c = column + column_of(thread, n);
        finish(workgroup.z * params.part + origin + c, c, params.columns, group * params.columns + c, sum[m][n]);
      }
    }
  }
}
