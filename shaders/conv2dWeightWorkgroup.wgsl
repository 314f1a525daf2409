// Weight gradient of a convolution for GPUs as an implicit matrix product, [taps * channels, pixels] x [pixels, columns],
// in tiles of workgroup memory (lib/workgroupTile.wgsl). Pixels are split over workgroups, each of which writes a part
// of its own. Padding takes part as zeros: where the output's gradient is not finite, taps outside the image are NaN.

struct Params {
  pixels: u32,    // batch * out_y * out_x
  out_y: u32,
  out_x: u32,
  source_y: u32,
  source_x: u32,
  stride_y: u32,
  stride_x: u32,
  padding_y: u32,
  padding_x: u32,
  dilation_y: u32,
  dilation_x: u32,
  rows: u32,      // kernel_y * kernel_x * channels
  groups: u32,
  columns: u32,   // output channels of a group
  steps: u32,     // of DEPTH pixels, done by one workgroup
  scale: u32,     // of the epilogue, which a gradient has none of: all 0
  bias: u32,
  residual: u32,
  relu: u32,
}

// Types of the elements in memory: fours, or single elements where channels are no multiple of four.
alias X = vec4f;
alias DY = vec4f;
alias Quad = vec4f;
const X_WIDTH = 4u;
const DY_WIDTH = 4u;
const CHANNELS = 4u; // source channels of a group
const KERNEL_X = 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read> dy: array<DY>;

// An output pixel.
struct Pixel {
  image: u32,
  y: u32,
  x: u32,
}

// `pixels` further on. Rows are about as long as a step, so this takes a turn or two; a division takes longer.
fn advance(from_pixel: Pixel, pixels: u32) -> Pixel {
  var at = from_pixel;
  at.x += pixels;
  while (at.x >= params.out_x) {
    at.x -= params.out_x;
    at.y++;
  }
  while (at.y >= params.out_y) {
    at.y -= params.out_y;
    at.image++;
  }
  return at;
}

// The source at a pixel as the tap and channel of `row` see it, and the next three channels where they come in fours.
fn gather(row: u32, at: Pixel, within: bool, group: u32) -> vec4f {
  let tap = row / CHANNELS;
  let y = at.y * params.stride_y + tap / KERNEL_X * params.dilation_y - params.padding_y;
  let x_at = at.x * params.stride_x + tap % KERNEL_X * params.dilation_x - params.padding_x;
  // A negative position is a huge one here.
  let inside = within && row < params.rows && y < params.source_y && x_at < params.source_x;
  let start = (((at.image * params.source_y + y) * params.source_x + x_at) * params.groups + group) * CHANNELS + row % CHANNELS;
  return select(vec4f(), vec4f(Quad(x[select(0u, start / X_WIDTH, inside)])), inside);
}

fn fetch_left(row: u32, at: Pixel, within: bool, group: u32) -> vec4f {
  if (X_WIDTH == 4u) { return gather(row, at, within, group); }
  return vec4f(
    gather(row, at, within, group).x,
    gather(row + 1u, at, within, group).x,
    gather(row + 2u, at, within, group).x,
    gather(row + 3u, at, within, group).x,
  );
}

fn fetch_right(column: u32, pixel: u32, group: u32) -> vec4f {
  let inside = pixel < params.pixels && column < params.columns;
  let start = select(0u, (pixel * params.groups + group) * params.columns + column, inside);
  if (DY_WIDTH == 4u) { return select(vec4f(), vec4f(Quad(dy[start / 4u])), inside); }
  let count = select(0u, params.columns - column, inside);
  let last = start + clamp(count, 1u, 4u) - 1u;
  let v = vec4f(vec4f(Quad(dy[start])).x, vec4f(Quad(dy[min(start + 1u, last)])).x, vec4f(Quad(dy[min(start + 2u, last)])).x, vec4f(Quad(dy[min(start + 3u, last)])).x);
  return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

@compute @workgroup_size(THREADS)
fn conv2d_weight_workgroup(@builtin(local_invocation_index) index: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let thread = thread_of(index);
  let tiles = (params.columns + TILE_N - 1u) / TILE_N;
  let group = workgroup.x / tiles;
  let column = (workgroup.x - group * tiles) * TILE_N;
  let row = workgroup.y * TILE_M;
  let begin = workgroup.z * params.steps;
  let end = min(begin + params.steps, (params.pixels + DEPTH - 1u) / DEPTH);

  // All loads of an invocation have the same row and column (THREADS is a multiple of a tile's quads); pixels differ.
  let own_row = row + place(index, TILE_M, false).x;
  let own_column = column + place(index, TILE_N, false).x;
  var left_at: array<Pixel, LEFT_LOADS>;
  for (var i = 0u; i < LEFT_LOADS; i++) {
    let at = begin * DEPTH + place(index + i * THREADS, TILE_M, false).y;
    let image_row = at / params.out_x;
    left_at[i] = Pixel(image_row / params.out_y, image_row % params.out_y, at % params.out_x);
  }

  var l: array<vec4f, LEFT_LOADS>;
  var r: array<vec4f, RIGHT_LOADS>;
  for (var i = 0u; i < LEFT_LOADS; i++) {
    let pixel = begin * DEPTH + place(index + i * THREADS, TILE_M, false).y;
    l[i] = fetch_left(own_row, left_at[i], pixel < params.pixels, group);
  }
  for (var i = 0u; i < RIGHT_LOADS; i++) { r[i] = fetch_right(own_column, begin * DEPTH + place(index + i * THREADS, TILE_N, false).y, group); }
  var sum: Sums;
  for (var step = begin; step < end; step++) {
    for (var i = 0u; i < LEFT_LOADS; i++) { left[kept_at(index + i * THREADS, LEFT_ALONG)] = l[i]; }
    for (var i = 0u; i < RIGHT_LOADS; i++) { right[kept_at(index + i * THREADS, RIGHT_ALONG)] = r[i]; }
    workgroupBarrier();
    if (step + 1u < end) {
      let next = (step + 1u) * DEPTH;
      for (var i = 0u; i < LEFT_LOADS; i++) {
        left_at[i] = advance(left_at[i], DEPTH);
        l[i] = fetch_left(own_row, left_at[i], next + place(index + i * THREADS, TILE_M, false).y < params.pixels, group);
      }
      for (var i = 0u; i < RIGHT_LOADS; i++) { r[i] = fetch_right(own_column, next + place(index + i * THREADS, TILE_N, false).y, group); }
    }
    multiply(thread, &sum);
    workgroupBarrier();
  }

  for (var m = 0u; m < ROWS; m++) {
    let to = row + row_of(thread, m);
    if (to < params.rows) {
      let start = ((workgroup.z * params.rows + to) * params.groups + group) * params.columns;
      for (var n = 0u; n < QUADS; n++) {
        let c = column + column_of(thread, n);
        finish(start + c, c, params.columns, group * params.columns + c, sum[m][n]);
      }
    }
  }
}
