// Matrix product in registers only: one invocation computes TILE_M rows of TILE_N columns, a column being one element
// or four. Invocations side by side along x have the same rows and may share what they read of them
// (lib/lanes.wgsl). Suits adapters whose workgroup memory is no faster than the rest, and small matrices everywhere.

struct Params {
  rows: u32,
  columns: u32,   // counted in Column
  depth: u32,
  a_row: u32,     // distance between rows of a, and between its columns
  a_col: u32,
  b_row: u32,     // the same of b, counted in Column
  b_col: u32,
  a_batch: u32,   // distance between the matrices of a batch
  b_batch: u32,
  batch: u32,     // the first matrix of this dispatch
  scale: u32,     // 1: the sums are multiplied by it
  bias: u32,      // 1: added
  residual: u32,  // 1: added
  relu: u32,      // 1: applied last
}

alias Column = vec4f;
// The same in memory, where elements may be f16; what is computed with is f32.
alias Element = f32;
alias Stored = vec4f;
const TILE_M = 8u;
const TILE_N = 2u;
const STEPS = 1u; // must divide the depth
const WORKGROUP_M = 8u;
const WORKGROUP_N = 8u;
const OWN = TILE_M / LANES; // rows that one invocation reads

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Element>;
@group(0) @binding(2) var<storage, read> b: array<Stored>;
@group(0) @binding(3) var<storage, read> scale: array<Column>;
@group(0) @binding(4) var<storage, read> bias: array<Column>;
@group(0) @binding(5) var<storage, read> residual: array<Stored>;
@group(0) @binding(6) var<storage, read_write> out: array<Stored>;

@compute @workgroup_size(WORKGROUP_N, WORKGROUP_M)
fn matmul(@builtin(global_invocation_id) id: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let row = id.y * TILE_M;
  let column = id.x * TILE_N;
  if (row >= params.rows) { return; }
  let lane = local.x % LANES;
  let batch = params.batch + id.z;

  // Rows and columns past the end repeat the last one; they are not written.
  var start: array<u32, OWN>;
  for (var m = 0u; m < OWN; m++) {
    start[m] = batch * params.a_batch + min(row + m * LANES + lane, params.rows - 1u) * params.a_row;
  }
  var at: array<u32, TILE_N>;
  for (var n = 0u; n < TILE_N; n++) { at[n] = batch * params.b_batch + min(column + n, params.columns - 1u) * params.b_col; }

  // Two short loops over the rows, not one long one, which compilers for CPU adapters would not unroll.
  var sum: array<array<array<Column, TILE_N>, LANES>, OWN>;
  // STEPS of the depth at a time: a sum that does not fit into the registers is then fetched and stored once for all of them.
  for (var k = 0u; k < params.depth; k += STEPS) {
    var w: array<array<Column, TILE_N>, STEPS>;
    var own: array<array<f32, OWN>, STEPS>;
    for (var s = 0u; s < STEPS; s++) {
      for (var n = 0u; n < TILE_N; n++) { w[s][n] = Column(b[at[n] + (k + s) * params.b_row]); }
      for (var m = 0u; m < OWN; m++) { own[s][m] = f32(a[start[m] + (k + s) * params.a_col]); }
    }
    for (var o = 0u; o < OWN; o++) {
      for (var l = 0u; l < LANES; l++) {
        for (var n = 0u; n < TILE_N; n++) {
          for (var s = 0u; s < STEPS; s++) { sum[o][l][n] += broadcast(own[s][o], l) * w[s][n]; }
        }
      }
    }
  }

  // One condition an element and no early exits: loops with exits take compilers for CPU adapters seconds to unroll.
  var factor: array<Column, TILE_N>;
  var shift: array<Column, TILE_N>;
  for (var n = 0u; n < TILE_N; n++) {
    let beside = min(column + n, params.columns - 1u);
    factor[n] = select(Column(1.0), scale[beside], params.scale == 1u);
    shift[n] = select(Column(), bias[beside], params.bias == 1u);
  }
  for (var m = 0u; m < TILE_M; m++) {
    for (var n = 0u; n < TILE_N; n++) {
      if (row + m < params.rows && column + n < params.columns) {
        let to = (batch * params.rows + row + m) * params.columns + column + n;
        var v = sum[m / LANES][m % LANES][n] * factor[n] + shift[n];
        if (params.residual == 1u) { v += Column(residual[to]); }
        // Not max(): a NaN must stay a NaN.
        if (params.relu == 1u) { v = select(v, Column(), v < Column()); }
        out[to] = Stored(v);
      }
    }
  }
}
