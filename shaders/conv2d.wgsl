// Convolution as an implicit matrix product: [pixels, taps * channels] x [taps * channels, columns], in registers only.
// One invocation computes TILE_P neighbouring pixels of TILE_N columns, a column being one output channel or four.
// Invocations side by side along x have the same pixels and may share what they read of them (lib/lanes.wgsl).
//
// The same code is the forward pass and the input gradient: along each axis, the target position `first + i * spacing`
// gathers, for tap k of `taps`, the source position `i * stride + offset + k * step`, with the kernel's row
// `tap_first + k * tap_step`. The launcher works out these numbers; for the gradient there is one dispatch per residue
// of the position modulo the stride, and the weight comes transposed.

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
  columns: u32,   // target channels of a group, counted in Column
  scale: u32,     // 1: the sums are multiplied by it
  bias: u32,      // 1: added
  residual: u32,  // 1: added
  relu: u32,      // 1: applied last
}

alias Column = vec4f;
// The same in memory, where elements may be f16; what is computed with is f32.
alias Element = f32;
alias Stored = vec4f;
const TILE_P = 8u;
const TILE_N = 2u;
const STEPS = 1u; // must divide the channels
const WORKGROUP_P = 8u;
const WORKGROUP_N = 8u;
const OWN = TILE_P / LANES; // pixels that one invocation reads

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Element>;
@group(0) @binding(2) var<storage, read> weight: array<Stored>;
@group(0) @binding(3) var<storage, read> scale: array<Column>;
@group(0) @binding(4) var<storage, read> bias: array<Column>;
@group(0) @binding(5) var<storage, read> residual: array<Stored>;
@group(0) @binding(6) var<storage, read_write> out: array<Stored>;

@compute @workgroup_size(WORKGROUP_N, WORKGROUP_P)
fn conv2d(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
) {
  // Column tiles do not cross groups; pixel tiles are folded over z.
  let pixel = ((workgroup.z * workgroups.y + workgroup.y) * WORKGROUP_P + local.y) * TILE_P;
  if (pixel >= params.pixels) { return; }
  let tiles = (params.columns + TILE_N - 1u) / TILE_N;
  let tile = workgroup.x * WORKGROUP_N + local.x;
  let group = min(tile / tiles, params.groups - 1u);
  let column = (tile - group * tiles) * TILE_N;
  let lane = local.x % LANES;

  let width = params.groups * params.columns;
  let depth = params.groups * params.channels;
  let per_image = params.extent_y * params.extent_x;
  let origin = group * params.columns;

  // Pixels and columns past the end repeat the last one; they are not written.
  var image: array<u32, OWN>;
  var top: array<i32, OWN>;
  var left: array<i32, OWN>;
  for (var p = 0u; p < OWN; p++) {
    let at = min(pixel + p * LANES + lane, params.pixels - 1u);
    image[p] = at / per_image;
    top[p] = i32((at % per_image) / params.extent_x * params.stride_y) + params.offset_y;
    left[p] = i32((at % params.extent_x) * params.stride_x) + params.offset_x;
  }
  var beside: array<u32, TILE_N>;
  for (var n = 0u; n < TILE_N; n++) { beside[n] = min(column + n, params.columns - 1u); }

  // Two short loops over the rows, not one long one, which compilers for CPU adapters would not unroll.
  var sum: array<array<array<Column, TILE_N>, LANES>, OWN>;
  for (var ky = 0u; ky < params.taps_y; ky++) {
    for (var kx = 0u; kx < params.taps_x; kx++) {
      var inside: array<bool, OWN>;
      var start: array<u32, OWN>;
      for (var p = 0u; p < OWN; p++) {
        let row = u32(top[p] + i32(ky) * params.step_y);
        let col = u32(left[p] + i32(kx) * params.step_x);
        // A negative position is a huge one here.
        inside[p] = row < params.source_y && col < params.source_x;
        start[p] = select(0u, ((image[p] * params.source_y + row) * params.source_x + col) * depth, inside[p]) + group * params.channels;
      }
      let tap = (params.tap_first_y + ky * params.tap_step_y) * params.kernel_x + params.tap_first_x + kx * params.tap_step_x;
      var at = tap * params.channels * width + origin;
      // STEPS channels at a time: a sum that does not fit into the registers is then fetched and stored once for all of them.
      for (var c = 0u; c < params.channels; c += STEPS) {
        var w: array<array<Column, TILE_N>, STEPS>;
        var own: array<array<f32, OWN>, STEPS>;
        for (var s = 0u; s < STEPS; s++) {
          for (var n = 0u; n < TILE_N; n++) { w[s][n] = Column(weight[at + beside[n]]); }
          for (var p = 0u; p < OWN; p++) { own[s][p] = select(0.0, f32(x[start[p] + c + s]), inside[p]); }
          at += width;
        }
        for (var o = 0u; o < OWN; o++) {
          for (var l = 0u; l < LANES; l++) {
            for (var n = 0u; n < TILE_N; n++) {
              for (var s = 0u; s < STEPS; s++) { sum[o][l][n] += broadcast(own[s][o], l) * w[s][n]; }
            }
          }
        }
      }
    }
  }

  // One condition an element and no early exits: loops with exits take compilers for CPU adapters seconds to unroll.
  var factor: array<Column, TILE_N>;
  var shift: array<Column, TILE_N>;
  for (var n = 0u; n < TILE_N; n++) {
    factor[n] = select(Column(1.0), scale[origin + beside[n]], params.scale == 1u);
    shift[n] = select(Column(), bias[origin + beside[n]], params.bias == 1u);
  }
  for (var p = 0u; p < TILE_P; p++) {
    let at = pixel + p;
    let row = params.first_y + (at % per_image) / params.extent_x * params.spacing_y;
    let col = params.first_x + (at % params.extent_x) * params.spacing_x;
    let to = (((at / per_image) * params.target_y + row) * params.target_x + col) * width + origin + column;
    for (var n = 0u; n < TILE_N; n++) {
      if (at < params.pixels && column + n < params.columns) {
        var v = sum[p / LANES][p % LANES][n] * factor[n] + shift[n];
        if (params.residual == 1u) { v += Column(residual[to + n]); }
        // Not max(): a NaN must stay a NaN.
        if (params.relu == 1u) { v = select(v, Column(), v < Column()); }
        out[to + n] = Stored(v);
      }
    }
  }
}
