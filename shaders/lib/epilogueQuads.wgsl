// What is done to a product before it is written, four columns at a time: for columns that come in fours.
// The counterpart is epilogueScalars.wgsl. Uses the flags scale, bias, residual and relu of Params.

alias Out = vec4f; // as it lies in memory, where it may be f16

@group(0) @binding(3) var<storage, read> scale: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read> residual: array<Out>;
@group(0) @binding(6) var<storage, read_write> out: array<Out>;

// Writes element `at` and the three after it, which are `column` and the three after it (`channel` for scale and bias).
fn finish(at: u32, column: u32, columns: u32, channel: u32, sum: vec4f) {
  if (column >= columns) { return; }
  var v = sum;
  if (params.scale == 1u) { v *= scale[channel / 4u]; }
  if (params.bias == 1u) { v += bias[channel / 4u]; }
  if (params.residual == 1u) { v += vec4f(residual[at / 4u]); }
  // Not max(): a NaN must stay a NaN.
  if (params.relu == 1u) { v = select(v, vec4f(), v < vec4f()); }
  out[at / 4u] = Out(v);
}
