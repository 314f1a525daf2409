// What is done to a product before it is written, where columns do not come in fours: the counterpart of epilogueQuads.wgsl.

alias Out = f32; // as it lies in memory, where it may be f16

@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<Out>;
@group(0) @binding(6) var<storage, read_write> out: array<Out>;

// Writes element `at` and up to three after it, which are `column` and those after it (`channel` for scale and bias).
fn finish(at: u32, column: u32, columns: u32, channel: u32, sum: vec4f) {
  for (var c = 0u; c < 4u; c++) {
    if (column + c < columns) {
      var v = sum[c];
      if (params.scale == 1u) { v *= scale[channel + c]; }
      if (params.bias == 1u) { v += bias[channel + c]; }
      if (params.residual == 1u) { v += f32(residual[at + c]); }
      // Not max(): a NaN must stay a NaN.
      if (params.relu == 1u) { v = select(v, 0.0, v < 0.0); }
      out[at + c] = Out(v);
    }
  }
}
