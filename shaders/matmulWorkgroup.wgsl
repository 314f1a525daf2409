// Matrix product for GPUs, in tiles of workgroup memory (lib/workgroupTile.wgsl). While a tile is multiplied the next
// one is on its way from memory into registers. Either side may be transposed; the depth may be split over workgroups,
// each of which then writes a part of its own.

struct Params {
  rows: u32,
  columns: u32,
  depth: u32,
  a_stride: u32,  // distance between rows of a as it lies in memory
  b_stride: u32,
  a_batch: u32,   // distance between the matrices of a batch
  b_batch: u32,
  batch: u32,     // the first matrix of this dispatch
  batches: u32,   // matrices of this dispatch
  matrices: u32,  // matrices of a part
  steps: u32,     // of DEPTH, done by one workgroup
  scale: u32,     // 1: multiplied
  bias: u32,      // 1: added
  residual: u32,  // 1: added
  relu: u32,      // 1: applied last
}

// Types of the elements in memory: fours, or single elements where a row is no multiple of four.
alias A = vec4f;
alias B = vec4f;
alias Quad = vec4f;
const A_WIDTH = 4u;
const B_WIDTH = 4u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<A>;
@group(0) @binding(2) var<storage, read> b: array<B>;

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

// Rows and columns past the end are zero; so are depths, on both sides, which adds nothing even to infinities.
fn fetch_left(i: u32, start: u32, row: u32, depth: u32) -> vec4f {
  let at = vec2u(row, depth) + place(i, TILE_M, LEFT_ALONG);
  if (LEFT_ALONG) { return read_a(start + at.x * params.a_stride + at.y, select(0u, below(at.y, params.depth), at.x < params.rows)); }
  return read_a(start + at.y * params.a_stride + at.x, select(0u, below(at.x, params.rows), at.y < params.depth));
}

fn fetch_right(i: u32, start: u32, column: u32, depth: u32) -> vec4f {
  let at = vec2u(column, depth) + place(i, TILE_N, RIGHT_ALONG);
  if (RIGHT_ALONG) { return read_b(start + at.x * params.b_stride + at.y, select(0u, below(at.y, params.depth), at.x < params.columns)); }
  return read_b(start + at.y * params.b_stride + at.x, select(0u, below(at.x, params.columns), at.y < params.depth));
}

@compute @workgroup_size(THREADS)
fn matmul_workgroup(@builtin(local_invocation_index) index: u32, @builtin(workgroup_id) workgroup: vec3u) {
  let thread = thread_of(index);
  let row = workgroup.y * TILE_M;
  let column = workgroup.x * TILE_N;
  let batch = params.batch + workgroup.z % params.batches;
  let part = workgroup.z / params.batches;
  let begin = part * params.steps;
  let end = min(begin + params.steps, (params.depth + DEPTH - 1u) / DEPTH);
  let a_start = batch * params.a_batch;
  let b_start = batch * params.b_batch;

  var l: array<vec4f, LEFT_LOADS>;
  var r: array<vec4f, RIGHT_LOADS>;
  for (var i = 0u; i < LEFT_LOADS; i++) { l[i] = fetch_left(index + i * THREADS, a_start, row, begin * DEPTH); }
  for (var i = 0u; i < RIGHT_LOADS; i++) { r[i] = fetch_right(index + i * THREADS, b_start, column, begin * DEPTH); }
  var sum: Sums;
  for (var step = begin; step < end; step++) {
    for (var i = 0u; i < LEFT_LOADS; i++) { left[kept_at(index + i * THREADS, LEFT_ALONG)] = l[i]; }
    for (var i = 0u; i < RIGHT_LOADS; i++) { right[kept_at(index + i * THREADS, RIGHT_ALONG)] = r[i]; }
    workgroupBarrier();
    if (step + 1u < end) {
      let depth = (step + 1u) * DEPTH;
      for (var i = 0u; i < LEFT_LOADS; i++) { l[i] = fetch_left(index + i * THREADS, a_start, row, depth); }
      for (var i = 0u; i < RIGHT_LOADS; i++) { r[i] = fetch_right(index + i * THREADS, b_start, column, depth); }
    }
    multiply(thread, &sum);
    workgroupBarrier();
  }

  let origin = (part * params.matrices + batch) * params.rows;
  for (var m = 0u; m < ROWS; m++) {
    let to = row + row_of(thread, m);
    if (to < params.rows) {
      for (var n = 0u; n < QUADS; n++) {
        let at = column + column_of(thread, n);
        finish((origin + to) * params.columns + at, at, params.columns, at, sum[m][n]);
      }
    }
  }
}
