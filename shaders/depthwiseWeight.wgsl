// Weight gradient of a convolution in groups of one channel: an invocation adds up OWN_Y x TAPS_X taps of one Column
// over `chunk` rows of the output; the launcher adds up the chunks, so the order is fixed. Padding takes part as zeros:
// where the output's gradient is not finite, taps outside the image are NaN.

struct Params {
  invocations: u32, // of a chunk: columns * kernel_y / OWN_Y
  image_rows: u32,  // batch * out_y
  chunk: u32,       // of these
  out_y: u32,
  out_x: u32,
  source_y: u32,
  source_x: u32,
  padding_y: u32,
  padding_x: u32,
  dilation_y: u32,
  kernel_y: u32,
  columns: u32,     // counted in Column
}

alias Column = vec4f;
alias Stored = vec4f; // Column in memory, where it may be f16
const TILE_X = 4u;  // outputs at a time
const OWN_Y = 3u;
const TAPS_X = 3u;
const STRIDE_Y = 1u;
const STRIDE_X = 1u;
const STEP_X = 1u;
const WINDOW_X = (TILE_X - 1u) * STRIDE_X + (TAPS_X - 1u) * STEP_X + 1u;
const RAGGED = true; // TILE_X does not divide the output's rows: what lies past their ends is not added
const WORKGROUP = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Stored>;
@group(0) @binding(2) var<storage, read> dy: array<Stored>;
@group(0) @binding(3) var<storage, read_write> out: array<Column>; // [chunks, kernel_y, kernel_x, columns]

@compute @workgroup_size(WORKGROUP)
fn depthwise_weight(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.invocations) { return; }
  let column = id.x % params.columns;
  let ky = id.x / params.columns * OWN_Y;
  let begin = id.y * params.chunk;
  let end = min(begin + params.chunk, params.image_rows);

  var sum: array<array<Column, TAPS_X>, OWN_Y>;
  for (var image_row = begin; image_row < end; image_row++) {
    let image = image_row / params.out_y;
    let top = (image_row - image * params.out_y) * STRIDE_Y - params.padding_y;
    for (var ox = 0u; ox < params.out_x; ox += TILE_X) {
      var d: array<Column, TILE_X>;
      for (var p = 0u; p < TILE_X; p++) {
        let inside = ox + p < params.out_x;
        d[p] = select(Column(), Column(dy[(image_row * params.out_x + select(0u, ox + p, inside)) * params.columns + column]), inside);
      }
      for (var k = 0u; k < OWN_Y; k++) {
        let row = top + (ky + k) * params.dilation_y;
        var line: array<Column, WINDOW_X>;
        for (var wx = 0u; wx < WINDOW_X; wx++) {
          // A negative position is a huge one here.
          let col = ox * STRIDE_X + wx - params.padding_x;
          let inside = row < params.source_y && col < params.source_x;
          let at = ((image * params.source_y + row) * params.source_x + col) * params.columns + column;
          line[wx] = select(Column(), Column(x[select(0u, at, inside)]), inside);
        }
        for (var kx = 0u; kx < TAPS_X; kx++) {
          for (var p = 0u; p < TILE_X; p++) {
            let product = line[p * STRIDE_X + kx * STEP_X] * d[p];
            if (RAGGED) { sum[k][kx] += select(Column(), product, ox + p < params.out_x); } else { sum[k][kx] += product; }
          }
        }
      }
    }
  }
  for (var k = 0u; k < OWN_Y; k++) {
    for (var kx = 0u; kx < TAPS_X; kx++) { out[((id.y * params.kernel_y + ky + k) * TAPS_X + kx) * params.columns + column] = sum[k][kx]; }
  }
}
