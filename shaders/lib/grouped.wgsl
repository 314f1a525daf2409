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
    return transpose(mat4x4f(weight[at], weight[at + out], weight[at + 2u * out], weight[at + 3u * out]));
  }
  let at = (tap * DEEP + depth) * 4u * params.columns + column;
  return mat4x4f(weight[at], weight[at + params.columns], weight[at + 2u * params.columns], weight[at + 3u * params.columns]);
}

fn source_of(column: u32) -> u32 {
  return column / WIDE * DEEP;
}
