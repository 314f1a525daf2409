// A matrix product's tile in workgroup memory, for GPUs: TILE_M x TILE_N elements, DEPTH deep at a time. An invocation
// computes ROWS x COLUMNS of them: per four depths it reads ROWS + COLUMNS quads and does ROWS * COLUMNS * 4 multiply-adds.
//
// Each side is read from memory four neighbours at a time, in whichever direction they are neighbours there, and kept
// as it was read: `along` the depth, or across it. Only the reading back into registers differs, where turning a
// 4 x 4 block costs nothing. Sums are kept in f32 whatever the stored type.

const TILE_M = 64u;
const TILE_N = 64u;
const DEPTH = 16u;
const ROWS = 8u;
const COLUMNS = 4u;
const LEFT_ALONG = true;
const RIGHT_ALONG = false;

const QUADS = COLUMNS / 4u;
const THREADS_X = TILE_N / COLUMNS;
const THREADS_Y = TILE_M / ROWS;
const THREADS = THREADS_X * THREADS_Y;
const DEEP = DEPTH / 4u;
const LEFT_LOADS = TILE_M * DEEP / THREADS;
const RIGHT_LOADS = TILE_N * DEEP / THREADS;

// Tiles kept along the depth have one quad of padding a row: neighbours' reads then fall into different banks.
var<workgroup> left: array<vec4f, select(TILE_M * DEEP, TILE_M * (DEEP + 1u), LEFT_ALONG)>;
var<workgroup> right: array<vec4f, select(TILE_N * DEEP, TILE_N * (DEEP + 1u), RIGHT_ALONG)>;

alias Sums = array<array<vec4f, QUADS>, ROWS>;

// Place of an invocation in the tile. Each 32 of them make a block of 8 x 4: a subgroup so reads least.
fn thread_of(index: u32) -> vec2u {
  let block = index / 32u;
  return vec2u(block % (THREADS_X / 8u) * 8u + index % 8u, block / (THREADS_X / 8u) * 4u + index / 8u % 4u);
}

// First row (or column) and depth of load `i` of a side: along the depth the next load is deeper, else beside.
// Rows kept along the depth are ordered by their remainder modulo 4, as `multiply` reads them.
fn place(i: u32, tile: u32, along: bool) -> vec2u {
  if (along) {
    let at = i / DEEP;
    return vec2u(at % (tile / 4u) * 4u + at / (tile / 4u), i % DEEP * 4u);
  }
  return vec2u(i % (tile / 4u) * 4u, i / (tile / 4u));
}

fn kept_at(i: u32, along: bool) -> u32 {
  return select(i, i / DEEP * (DEEP + 1u) + i % DEEP, along);
}

fn row_of(thread: vec2u, m: u32) -> u32 {
  return (thread.y + m / 4u * THREADS_Y) * 4u + m % 4u;
}

fn column_of(thread: vec2u, n: u32) -> u32 {
  return (thread.x + n * THREADS_X) * 4u;
}

// Adds the product of what the workgroup holds.
fn multiply(thread: vec2u, sum: ptr<function, Sums>) {
  for (var k = 0u; k < DEEP; k++) {
    var w: array<array<vec4f, QUADS>, 4>;
    for (var n = 0u; n < QUADS; n++) {
      let x = thread.x + n * THREADS_X;
      if (RIGHT_ALONG) {
        var q: array<vec4f, 4>;
        for (var c = 0u; c < 4u; c++) { q[c] = right[(c * (TILE_N / 4u) + x) * (DEEP + 1u) + k]; }
        let turned = transpose(mat4x4f(q[0], q[1], q[2], q[3]));
        for (var c = 0u; c < 4u; c++) { w[c][n] = turned[c]; }
      } else {
        for (var c = 0u; c < 4u; c++) { w[c][n] = right[(k * 4u + c) * (TILE_N / 4u) + x]; }
      }
    }
    for (var m = 0u; m < ROWS / 4u; m++) {
      let y = thread.y + m * THREADS_Y;
      if (LEFT_ALONG) {
        for (var r = 0u; r < 4u; r++) {
          let v = left[(r * (TILE_M / 4u) + y) * (DEEP + 1u) + k];
          for (var n = 0u; n < QUADS; n++) {
            (*sum)[m * 4u + r][n] += v.x * w[0][n];
            (*sum)[m * 4u + r][n] += v.y * w[1][n];
            (*sum)[m * 4u + r][n] += v.z * w[2][n];
            (*sum)[m * 4u + r][n] += v.w * w[3][n];
          }
        }
      } else {
        for (var c = 0u; c < 4u; c++) {
          let v = left[(k * 4u + c) * (TILE_M / 4u) + y];
          for (var n = 0u; n < QUADS; n++) {
            (*sum)[m * 4u][n] += v.x * w[c][n];
            (*sum)[m * 4u + 1u][n] += v.y * w[c][n];
            (*sum)[m * 4u + 2u][n] += v.z * w[c][n];
            (*sum)[m * 4u + 3u][n] += v.w * w[c][n];
          }
        }
      }
    }
  }
}
