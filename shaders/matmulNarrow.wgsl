// Matrix product with few rows (a batch of one, a classifier's head), where reading b is the work. An invocation reads
// blocks of four depths by four columns of b and multiplies them with ROWS rows of a; SLICES invocations share the
// depth of the same columns, and their sums are added in workgroup memory, in order. Either side may lie either way.

struct Params {
  rows: u32,
  columns: u32,
  depth: u32,
  a_row: u32,     // distance between rows of a, and between its columns
  a_col: u32,
  b_stride: u32,  // distance between rows of b as it lies in memory
  a_batch: u32,   // distance between the matrices of a batch
  b_batch: u32,
  batch: u32,     // the first matrix of this dispatch
  scale: u32,     // 1: multiplied
  bias: u32,      // 1: added
  residual: u32,  // 1: added
  relu: u32,      // 1: applied last
}

// Types of the elements in memory: fours, or single elements where a row is no multiple of four. A four of a lies along
// the depth.
alias A = vec4f;
alias B = vec4f;
alias Quad = vec4f;
const A_WIDTH = 4u;
const B_WIDTH = 4u;
const B_ALONG = true; // b lies along the depth: it is transposed
const ROWS = 4u;
const GROUPS = 4u;    // of four columns
const SLICES = 16u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<A>;
@group(0) @binding(2) var<storage, read> b: array<B>;

var<workgroup> parts: array<vec4f, select(ROWS * GROUPS * SLICES, 1u, SLICES == 1u)>;

// Four depths of a row of a, which exists; depths past the end are zero.
fn read_a(at: u32, depth: u32) -> vec4f {
  if (A_WIDTH == 4u) { return vec4f(Quad(a[(at + depth) / 4u])); }
  let last = params.depth - 1u;
  let k = min(vec4u(depth) + vec4u(0u, 1u, 2u, 3u), vec4u(last)) * params.a_col + at;
  let v = vec4f(vec4f(Quad(a[k.x])).x, vec4f(Quad(a[k.y])).x, vec4f(Quad(a[k.z])).x, vec4f(Quad(a[k.w])).x);
  return select(vec4f(), v, vec4u(depth) + vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
}

// Element `at` of b and the three after it, of which `count` exist; the others are zero.
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

@compute @workgroup_size(GROUPS * SLICES)
fn matmul_narrow(@builtin(local_invocation_index) index: u32, @builtin(workgroup_id) workgroup: vec3u) {
  // Neighbouring invocations read neighbouring memory.
  let slice = select(index / GROUPS, index % SLICES, B_ALONG);
  let group = select(index % GROUPS, index / SLICES, B_ALONG);
  let row = workgroup.y * ROWS;
  let column = (workgroup.x * GROUPS + group) * 4u;
  let batch = params.batch + workgroup.z;
  let b_start = batch * params.b_batch;

  // Rows past the end repeat the last one; they are not written.
  var start: array<u32, ROWS>;
  for (var m = 0u; m < ROWS; m++) { start[m] = batch * params.a_batch + min(row + m, params.rows - 1u) * params.a_row; }

  var sum: array<vec4f, ROWS>;
  for (var k = slice * 4u; k < params.depth; k += SLICES * 4u) {
    var w: array<vec4f, 4>;
    if (B_ALONG) {
      var q: array<vec4f, 4>;
      for (var c = 0u; c < 4u; c++) {
        q[c] = read_b(b_start + (column + c) * params.b_stride + k, select(0u, below(k, params.depth), column + c < params.columns));
      }
      let turned = transpose(mat4x4f(q[0], q[1], q[2], q[3]));
      for (var c = 0u; c < 4u; c++) { w[c] = turned[c]; }
    } else {
      for (var c = 0u; c < 4u; c++) {
        w[c] = read_b(b_start + (k + c) * params.b_stride + column, select(0u, below(column, params.columns), k + c < params.depth));
      }
    }
    for (var m = 0u; m < ROWS; m++) {
      let v = read_a(start[m], k);
      sum[m] += v.x * w[0];
      sum[m] += v.y * w[1];
      sum[m] += v.z * w[2];
      sum[m] += v.w * w[3];
    }
  }

  let origin = batch * params.rows;
  if (SLICES == 1u) {
    for (var m = 0u; m < ROWS; m++) {
      if (row + m < params.rows) { finish((origin + row + m) * params.columns + column, column, params.columns, column, sum[m]); }
    }
    return;
  }
  for (var m = 0u; m < ROWS; m++) { parts[(m * SLICES + slice) * GROUPS + group] = sum[m]; }
  workgroupBarrier();
  for (var i = index; i < ROWS * GROUPS; i += GROUPS * SLICES) {
    let m = i / GROUPS;
    let at = (workgroup.x * GROUPS + i % GROUPS) * 4u;
    var total = vec4f();
    for (var s = 0u; s < SLICES; s++) { total += parts[(m * SLICES + s) * GROUPS + i % GROUPS]; }
    if (row + m < params.rows) { finish((origin + row + m) * params.columns + at, at, params.columns, at, total); }
  }
}
