// Matrix product on a GPU's matrix units: a workgroup of four subgroups computes 64 x 64 elements, each subgroup 32 x 32
// in pieces of UNIT_M x UNIT_N; both sides pass through workgroup memory, where edges are filled with zeros, and so do
// the sums, for the epilogue. While a tile is multiplied the next one is on its way into registers.

struct Params {
  rows: u32,
  columns: u32,
  depth: u32,
  a_stride: u32,  // distance between rows of a as it lies in memory
  b_stride: u32,
  a_batch: u32,   // distance between the matrices of a batch
  b_batch: u32,
  batch: u32,     // the first matrix of this dispatch
  scale: u32,     // 1: multiplied
  bias: u32,      // 1: added
  residual: u32,  // 1: added
  relu: u32,      // 1: applied last
}

// Types of the elements in memory, as in matmulWorkgroup.wgsl; Element is what is multiplied.
alias A = vec4f;
alias B = vec4f;
alias Quad = vec4f;
alias Element = f32;
const A_WIDTH = 4u;
const B_WIDTH = 4u;
const LEFT_ALONG = true;   // a lies along the depth
const RIGHT_ALONG = false; // b lies along the depth
const SUBGROUP = 32u;      // invocations of one
const DEPTH = 16u;

// The matrix unit's shape. Types have columns before rows.
const UNIT_M = 8u;
const UNIT_N = 8u;
const UNIT_K = 8u;
alias Left = subgroup_matrix_left<Element, UNIT_K, UNIT_M>;
alias Right = subgroup_matrix_right<Element, UNIT_N, UNIT_K>;
alias Result = subgroup_matrix_result<f32, UNIT_N, UNIT_M>;

const TILE = 64u;
const REGION = 32u;
const THREADS = 4u * SUBGROUP;
const LOADS = TILE * DEPTH / 4u / THREADS;
// Padding of rows: neighbours' reads then fall into different banks.
const LEFT_ROW = DEPTH + 8u;
const RIGHT_ROW = TILE + 8u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<A>;
@group(0) @binding(2) var<storage, read> b: array<B>;

var<workgroup> left: array<Element, TILE * LEFT_ROW>;
var<workgroup> right: array<Element, DEPTH * RIGHT_ROW>;
var<workgroup> sums: array<f32, 4u * UNIT_M * REGION>;

// Element `at` of a and the three after it, of which `count` exist; the others are zero.
fn read_a(at: u32, count: u32) -> vec4f {
  let first = select(0u, at, count > 0u);
  if (A_WIDTH == 4u) { return select(vec4f(), vec4f(Quad(a[first / 4u])), count > 0u); }
  let last = first + max(count, 1u) - 1u;
  let v = vec4f(vec4f(Quad(a[first])).x, vec4f(Quad(a[min(first + 1u, last)])).x, vec4f(Quad(a[min(first + 2u, last)])).x, vec4f(Quad(a[min(first + 3u, last)])).x);
  return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

fn read_b(at: u32, count: u32) -> vec4f {
  let first = select(0u, at, count > 0u);
  if (B_WIDTH == 4u) { return select(vec4f(), vec4f(Quad(b[first / 4u])), count > 0u); }
  let last = first + max(count, 1u) - 1u;
  let v = vec4f(vec4f(Quad(b[first])).x, vec4f(Quad(b[min(first + 1u, last)])).x, vec4f(Quad(b[min(first + 2u, last)])).x, vec4f(Quad(b[min(first + 3u, last)])).x);
  return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

// How many elements from `at` on lie below `extent`.
fn below(at: u32, extent: u32) -> u32 {
  return extent - min(at, extent);
}

// First row (or column) and depth of load `i` of a side.
fn place(i: u32, along: bool) -> vec2u {
  return select(vec2u(i % (TILE / 4u) * 4u, i / (TILE / 4u)), vec2u(i / (DEPTH / 4u), i % (DEPTH / 4u) * 4u), along);
}

fn fetch_left(i: u32, start: u32, row: u32, depth: u32) -> vec4f {
  let at = vec2u(row, depth) + place(i, LEFT_ALONG);
  if (LEFT_ALONG) { return read_a(start + at.x * params.a_stride + at.y, select(0u, below(at.y, params.depth), at.x < params.rows)); }
  return read_a(start + at.y * params.a_stride + at.x, select(0u, below(at.x, params.rows), at.y < params.depth));
}

fn fetch_right(i: u32, start: u32, column: u32, depth: u32) -> vec4f {
  let at = vec2u(column, depth) + place(i, RIGHT_ALONG);
  if (RIGHT_ALONG) { return read_b(start + at.x * params.b_stride + at.y, select(0u, below(at.y, params.depth), at.x < params.columns)); }
  return read_b(start + at.y * params.b_stride + at.x, select(0u, below(at.x, params.columns), at.y < params.depth));
}

@compute @workgroup_size(THREADS)
fn matmul_subgroup_matrix(
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(workgroup_id) workgroup: vec3u,
) {
  let row = workgroup.y * TILE;
  let column = workgroup.x * TILE;
  let batch = params.batch + workgroup.z;
  let a_start = batch * params.a_batch;
  let b_start = batch * params.b_batch;
  let own_row = subgroup / 2u * REGION;
  let own_column = subgroup % 2u * REGION;

  var l: array<vec4f, LOADS>;
  var r: array<vec4f, LOADS>;
  for (var i = 0u; i < LOADS; i++) {
    l[i] = fetch_left(index + i * THREADS, a_start, row, 0u);
    r[i] = fetch_right(index + i * THREADS, b_start, column, 0u);
  }
  var sum: array<array<Result, REGION / UNIT_N>, REGION / UNIT_M>;
  for (var depth = 0u; depth < params.depth; depth += DEPTH) {
    for (var i = 0u; i < LOADS; i++) {
      let to_left = place(index + i * THREADS, LEFT_ALONG);
      let to_right = place(index + i * THREADS, RIGHT_ALONG);
      for (var c = 0u; c < 4u; c++) {
        left[select((to_left.x + c) * LEFT_ROW + to_left.y, to_left.x * LEFT_ROW + to_left.y + c, LEFT_ALONG)] = Element(l[i][c]);
        right[select(to_right.y * RIGHT_ROW + to_right.x + c, (to_right.y + c) * RIGHT_ROW + to_right.x, RIGHT_ALONG)] = Element(r[i][c]);
      }
    }
    workgroupBarrier();
    for (var i = 0u; i < LOADS; i++) {
      l[i] = fetch_left(index + i * THREADS, a_start, row, depth + DEPTH);
      r[i] = fetch_right(index + i * THREADS, b_start, column, depth + DEPTH);
    }
    for (var k = 0u; k < DEPTH; k += UNIT_K) {
      var w: array<Right, REGION / UNIT_N>;
      for (var n = 0u; n < REGION / UNIT_N; n++) {
        w[n] = subgroupMatrixLoad<Right, row_major>(&right, k * RIGHT_ROW + own_column + n * UNIT_N, RIGHT_ROW);
      }
      for (var m = 0u; m < REGION / UNIT_M; m++) {
        let v = subgroupMatrixLoad<Left, row_major>(&left, (own_row + m * UNIT_M) * LEFT_ROW + k, LEFT_ROW);
        for (var n = 0u; n < REGION / UNIT_N; n++) { sum[m][n] = subgroupMatrixMultiplyAccumulate(v, w[n], sum[m][n]); }
      }
    }
    workgroupBarrier();
  }

  // UNIT_M rows of each subgroup's part at a time.
  for (var m = 0u; m < REGION / UNIT_M; m++) {
    for (var n = 0u; n < REGION / UNIT_N; n++) {
      subgroupMatrixStore<row_major>(&sums, subgroup * UNIT_M * REGION + n * UNIT_N, sum[m][n], REGION);
    }
    workgroupBarrier();
    for (var i = index * 4u; i < 4u * UNIT_M * REGION; i += 4u * THREADS) {
      let part = i / (UNIT_M * REGION);
      let to = row + part / 2u * REGION + m * UNIT_M + i / REGION % UNIT_M;
      let at = column + part % 2u * REGION + i % REGION;
      let v = vec4f(sums[i], sums[i + 1u], sums[i + 2u], sums[i + 3u]);
      if (to < params.rows) { finish((batch * params.rows + to) * params.columns + at, at, params.columns, at, v); }
    }
    workgroupBarrier();
  }
}
