// Weights of a convolution in groups of few channels, which come in fours on both sides: blocks of 4 x 4. The
// counterpart, for groups of one channel, is depthwise.wgsl.

alias Column = vec4f;
alias Weights = mat4x4f;
const DEEP = 1u;  // Columns of the source that a target's Column reads: those of its group
const WIDE = 1u;  // Columns of a group in the target
const TURNED = false; // the input gradient: the weight lies along the source's channels

// A matrix column belongs to a channel of the source. The weight is [taps, in / groups, out], read in fours of out.
fn weights_at(tap: u32, column: u32, depth: u32) -> Weights {
  if (TURNED) {
    let out = params.columns / WIDE * DEEP;
    let at = (tap * WIDE + column % WIDE) * 4u * out + column / WIDE * DEEP + depth;
    return transpose(mat4x4f(Column(weight[at]), Column(weight[at + out]), Column(weight[at + 2u * out]), Column(weight[at + 3u * out])));
  }
  let wide = params.columns;
  let at = (tap * DEEP + depth) * 4u * wide + column;
  return mat4x4f(Column(weight[at]), Column(weight[at + wide]), Column(weight[at + 2u * wide]), Column(weight[at + 3u * wide]));
}

fn source_of(column: u32) -> u32 {
  return column / WIDE * DEEP;
}
