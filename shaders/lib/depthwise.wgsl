// Weights of a convolution that keeps channels apart: one for each. Column is one channel, or four where they come in
// fours. The counterpart, for groups of several channels, is grouped.wgsl.

alias Column = vec4f;
alias Weights = Column;
const DEEP = 1u; // Columns of the source that a target's Column reads

fn weights_at(tap: u32, column: u32, depth: u32) -> Weights {
  return Column(weight[tap * params.columns + column]);
}

// The first Column of the source that a target's Column reads.
fn source_of(column: u32) -> u32 {
  return column;
}
