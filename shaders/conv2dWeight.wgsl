// Weight gradient of a convolution: for each tap, [channels, pixels] x [pixels, columns], in registers only.
// One invocation computes TILE_C channels of TILE_N columns of one tap over `chunk` rows of the output; the launcher
// adds up the chunks afterwards, so the order of the sum is fixed.

struct Params {
  rows: u32,      // batch * out_y
  chunk: u32,     // rows added up by one invocation
  chunks: u32,
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
  channels: u32,  // source channels of a group
  columns: u32,   // output channels of a group, counted in Column
}

alias Column = vec4f;
const TILE_C = 8u;
const TILE_N = 2u;
const WORKGROUP = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<Column>;
@group(0) @binding(3) var<storage, read_write> out: array<Column>; // [chunks, kernel_y, kernel_x, channels, groups * columns]

@compute @workgroup_size(WORKGROUP)
fn conv2d_weight(
  @builtin(local_invocation_index) local: u32,
  @builtin(workgroup_id) workgroup: vec3u,
) {
  let tiles_n = (params.columns + TILE_N - 1u) / TILE_N;
  let tiles_c = (params.channels + TILE_C - 1u) / TILE_C;
  var tile = workgroup.x * WORKGROUP + local;
  let column = (tile % tiles_n) * TILE_N;
  tile /= tiles_n;
  let channel = (tile % tiles_c) * TILE_C;
  let group = tile / tiles_c;
  if (group >= params.groups) { return; }
  let ky = workgroup.y / params.kernel_x;
  let kx = workgroup.y % params.kernel_x;

  let width = params.groups * params.columns;
  let depth = params.groups * params.channels;
  let origin = group * params.columns + column;

  // Channels and columns past the end repeat the last one; they are not written.
  var below: array<u32, TILE_C>;
  for (var c = 0u; c < TILE_C; c++) { below[c] = min(c, params.channels - 1u - channel); }
  var beside: array<u32, TILE_N>;
  for (var n = 0u; n < TILE_N; n++) { beside[n] = min(n, params.columns - 1u - column); }

  // Output columns whose source column lies inside the image: begin <= ox < end.
  let shift = i32(kx * params.dilation_x) - i32(params.padding_x);
  let stride = i32(params.stride_x);
  let begin = u32(max(0, (stride - 1 - shift) / stride));
  let end = min(params.out_x, u32(max(0, (i32(params.source_x) - 1 - shift + stride) / stride)));

  var sum: array<array<Column, TILE_N>, TILE_C>;
  let last = min(params.rows, (workgroup.z + 1u) * params.chunk);
  for (var row = workgroup.z * params.chunk; row < last; row++) {
    let y = u32(i32((row % params.out_y) * params.stride_y + ky * params.dilation_y) - i32(params.padding_y));
    if (y >= params.source_y) { continue; }
    var start = (((row / params.out_y) * params.source_y + y) * params.source_x + u32(i32(begin * params.stride_x) + shift)) * depth
      + group * params.channels + channel;
    var at = (row * params.out_x + begin) * width + origin;
    for (var ox = begin; ox < end; ox++) {
      var d: array<Column, TILE_N>;
      for (var n = 0u; n < TILE_N; n++) { d[n] = dy[at + beside[n]]; }
      for (var c = 0u; c < TILE_C; c++) {
        let v = x[start + below[c]];
        for (var n = 0u; n < TILE_N; n++) { sum[c][n] += v * d[n]; }
      }
      start += params.stride_x * depth;
      at += width;
    }
  }

  let tap = workgroup.z * params.kernel_y * params.kernel_x + workgroup.y;
  for (var c = 0u; c < TILE_C; c++) {
    if (channel + c >= params.channels) { break; }
    for (var n = 0u; n < TILE_N; n++) {
      if (column + n >= params.columns) { break; }
      out[(tap * params.channels + channel + c) * width + origin + n] = sum[c][n];
    }
  }
}
