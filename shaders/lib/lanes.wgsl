// LANES neighbouring invocations share what they read: each reads a part and gets the rest by `broadcast`. On a CPU
// adapter, whose subgroups have as many invocations as a vector has lanes, that is one instruction, and a load of eight
// different addresses is eight. Needs subgroups of exactly LANES invocations, consecutive along the workgroup's x.
enable subgroups;
// Invocations that leave early do so with their whole subgroup, which the compiler cannot see.
diagnostic(off, subgroup_uniformity);

const LANES = 8u;

// The `value` that invocation `lane` of the subgroup holds.
fn broadcast(value: f32, lane: u32) -> f32 {
  return subgroupShuffle(value, lane);
}
