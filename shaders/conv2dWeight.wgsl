// Weight gradient of a convolution: for each row of the kernel, [kernel_x * channels, pixels] x [pixels, columns], in
// registers only. One invocation computes TILE_R rows (each one tap and channel) of TILE_N columns, a column being one
// output channel or four, over `chunk` rows of the output; the launcher adds up the chunks, so the order is fixed.
// Invocations side by side along x have the same rows and may share what they read of them (lib/lanes.wgsl).

struct Params {
  image_rows: u32, // batch * out_y
  chunk: u32,      // of these, added up by one invocation
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
  kernel_y: u32,
  kernel_x: u32,
  groups: u32,
  channels: u32,   // source channels of a group
  columns: u32,    // output channels of a group, counted in Column
}

alias Column = vec4f;
// The same in memory, where elements may be f16; what is computed with, and the result, is f32.
alias Element = f32;
alias Stored = vec4f;
const TILE_R = 8u;
const TILE_N = 2u;
const STEPS = 1u;
const WORKGROUP_R = 8u;
const WORKGROUP_N = 8u;
const OWN = TILE_R / LANES; // rows that one invocation reads

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> out: array<Column>; // [chunks, kernel_y, kernel_x, channels, groups * columns]

// Where the tap that is `shift` columns to the right lies inside the image: x <= output column < y.
fn span(shift: i32) -> vec2u {
  let stride = i32(params.stride_x);
  let begin = max(0, (stride - 1 - shift) / stride);
  let end = max(0, (i32(params.source_x) - 1 - shift + stride) / stride);
  return vec2u(u32(begin), min(u32(end), params.out_x));
}

fn shift_of(row: u32) -> i32 {
  return i32(row / params.channels * params.dilation_x) - i32(params.padding_x);
}

@compute @workgroup_size(WORKGROUP_N, WORKGROUP_R)
fn conv2d_weight(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
  // Row tiles do not cross rows of the kernel, column tiles do not cross groups.
  let rows = params.kernel_x * params.channels;
  let tiles_r = (rows + TILE_R - 1u) / TILE_R;
  let tile_r = workgroup.y * WORKGROUP_R + local.y;
  let ky = tile_r / tiles_r;
  if (ky >= params.kernel_y) { return; }
  let row = (tile_r - ky * tiles_r) * TILE_R;
  let tiles_n = (params.columns + TILE_N - 1u) / TILE_N;
  let tile_n = workgroup.x * WORKGROUP_N + local.x;
  let group = min(tile_n / tiles_n, params.groups - 1u);
  let column = (tile_n - group * tiles_n) * TILE_N;
  let lane = local.x % LANES;

  let width = params.groups * params.columns;
  let depth = params.groups * params.channels;
  let origin = group * params.columns;

  // Rows and columns past the end repeat the last one; they are not written.
  var offset: array<i32, OWN>;
  var inside: array<vec2u, OWN>;
  for (var r = 0u; r < OWN; r++) {
    let at = min(row + r * LANES + lane, rows - 1u);
    offset[r] = shift_of(at) * i32(depth) + i32(group * params.channels + at % params.channels);
    inside[r] = span(shift_of(at));
  }
  var beside: array<u32, TILE_N>;
  for (var n = 0u; n < TILE_N; n++) { beside[n] = min(column + n, params.columns - 1u); }

  // Output columns that some tap of the tile reaches, and within them those that all taps reach.
  let leftmost = span(shift_of(row));
  let rightmost = span(shift_of(min(row + TILE_R, rows) - 1u));

  // Two short loops over the rows, not one long one, which compilers for CPU adapters would not unroll.
  var sum: array<array<array<Column, TILE_N>, LANES>, OWN>;
  let first = workgroup.z * params.chunk;
  for (var image_row = first; image_row < min(first + params.chunk, params.image_rows); image_row++) {
    let image = image_row / params.out_y;
    let y = u32(i32((image_row - image * params.out_y) * params.stride_y + ky * params.dilation_y) - i32(params.padding_y));
    if (y >= params.source_y) { continue; }
    let source = i32((image * params.source_y + y) * params.source_x * depth);
    for (var ox = rightmost.x; ox < leftmost.y;) {
      let at = (image_row * params.out_x + ox) * width + origin;
      let start = source + i32(ox * params.stride_x * depth);
      if (ox >= leftmost.x && ox + STEPS <= rightmost.y) {
        // STEPS pixels at a time: a sum that does not fit into the registers is then fetched and stored once for all of them.
        var d: array<array<Column, TILE_N>, STEPS>;
        var own: array<array<f32, OWN>, STEPS>;
        for (var s = 0u; s < STEPS; s++) {
          for (var n = 0u; n < TILE_N; n++) { d[s][n] = Column(dy[at + s * width + beside[n]]); }
          for (var r = 0u; r < OWN; r++) { own[s][r] = f32(x[start + i32(s * params.stride_x * depth) + offset[r]]); }
        }
        for (var o = 0u; o < OWN; o++) {
          for (var l = 0u; l < LANES; l++) {
            for (var n = 0u; n < TILE_N; n++) {
              for (var s = 0u; s < STEPS; s++) { sum[o][l][n] += broadcast(own[s][o], l) * d[s][n]; }
            }
          }
        }
        ox += STEPS;
      } else {
        // At the border the taps outside are left out: d may be infinite, so a factor of zero would not do.
        var d: array<Column, TILE_N>;
        for (var n = 0u; n < TILE_N; n++) { d[n] = Column(dy[at + beside[n]]); }
        var own: array<f32, OWN>;
        var reached: array<f32, OWN>;
        for (var r = 0u; r < OWN; r++) {
          let within = ox >= inside[r].x && ox < inside[r].y;
          reached[r] = select(0.0, 1.0, within);
          own[r] = f32(x[select(0, start + offset[r], within)]);
        }
        for (var r = 0u; r < TILE_R; r++) {
          let v = broadcast(own[r / LANES], r % LANES);
          if (broadcast(reached[r / LANES], r % LANES) == 1.0) {
            for (var n = 0u; n < TILE_N; n++) { sum[r / LANES][r % LANES][n] += v * d[n]; }
          }
        }
        ox++;
      }
    }
  }

  let to = (workgroup.z * params.kernel_y + ky) * rows + row;
  // One condition an element and no early exits: loops with exits take compilers for CPU adapters seconds to unroll.
  for (var r = 0u; r < TILE_R; r++) {
    for (var n = 0u; n < TILE_N; n++) {
      if (row + r < rows && column + n < params.columns) { out[(to + r) * width + origin + column + n] = sum[r / LANES][r % LANES][n]; }
    }
  }
}
