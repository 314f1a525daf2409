// Matrix product for GPUs: a workgroup computes 64 x 64 elements, holding 64 x 16 of each side in workgroup memory at a
// time; one invocation computes 8 x 4 of them. Either side may be transposed: only its distances differ.

struct Params {
  rows: u32,
  columns: u32,
  depth: u32,
  a_row: u32,     // distance between rows of a, and between its columns
  a_col: u32,
  b_row: u32,
  b_col: u32,
  a_batch: u32,   // distance between the matrices of a batch
  b_batch: u32,
  batch: u32,     // the first matrix of this dispatch
  scale: u32,     // 1: the sums are multiplied by it
  bias: u32,      // 1: added
  residual: u32,  // 1: added
  relu: u32,      // 1: applied last
}

const TILE = 64u;
const DEPTH = 16u;
const PADDED = TILE + 4u; // keeps the stores of neighbours out of each other's memory bank
const SIZE_X = 16u;
const SIZE_Y = 8u;
const LOADS = TILE * DEPTH / (SIZE_X * SIZE_Y);

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

var<workgroup> left: array<array<f32, PADDED>, DEPTH>;
var<workgroup> right: array<array<f32, PADDED>, DEPTH>;

// Place of load `i` in a tile, (along the depth, across it), so that neighbouring invocations read neighbouring memory.
fn place(i: u32, along: bool) -> vec2u {
  return select(vec2u(i / TILE, i % TILE), vec2u(i % DEPTH, i / DEPTH), along);
}

@compute @workgroup_size(SIZE_X, SIZE_Y)
fn matmul_tiled(
  @builtin(local_invocation_id) local: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(workgroup_id) workgroup: vec3u,
) {
  let first_row = workgroup.y * TILE;
  let first_column = workgroup.x * TILE;
  let batch = params.batch + workgroup.z;
  let a_start = batch * params.a_batch;
  let b_start = batch * params.b_batch;

  var sum: array<vec4f, 8>;
  for (var k = 0u; k < params.depth; k += DEPTH) {
    for (var i = 0u; i < LOADS; i++) {
      let at = place(index + i * SIZE_X * SIZE_Y, params.a_col == 1u);
      let row = first_row + at.y;
      let within = row < params.rows && k + at.x < params.depth;
      left[at.x][at.y] = select(0.0, a[a_start + min(row, params.rows - 1u) * params.a_row + min(k + at.x, params.depth - 1u) * params.a_col], within);
    }
    for (var i = 0u; i < LOADS; i++) {
      let at = place(index + i * SIZE_X * SIZE_Y, params.b_col != 1u);
      let column = first_column + at.y;
      let within = column < params.columns && k + at.x < params.depth;
      right[at.x][at.y] = select(0.0, b[b_start + min(k + at.x, params.depth - 1u) * params.b_row + min(column, params.columns - 1u) * params.b_col], within);
    }
    workgroupBarrier();
    for (var l = 0u; l < DEPTH; l++) {
      let c = local.x * 4u;
      let w = vec4f(right[l][c], right[l][c + 1u], right[l][c + 2u], right[l][c + 3u]);
      for (var m = 0u; m < 8u; m++) { sum[m] += left[l][local.y * 8u + m] * w; }
    }
    workgroupBarrier();
  }

  for (var m = 0u; m < 8u; m++) {
    let row = first_row + local.y * 8u + m;
    for (var n = 0u; n < 4u; n++) {
      let column = first_column + local.x * 4u + n;
      if (row < params.rows && column < params.columns) {
        var v = sum[m][n];
        let to = (batch * params.rows + row) * params.columns + column;
        if (params.scale == 1u) { v *= scale[column]; }
        if (params.bias == 1u) { v += bias[column]; }
        if (params.residual == 1u) { v += residual[to]; }
        // Not max(): a NaN must stay a NaN.
        if (params.relu == 1u) { v = select(v, 0.0, v < 0.0); }
        out[to] = v;
      }
    }
  }
}
