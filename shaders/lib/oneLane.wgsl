// Each invocation reads for itself: the counterpart of lanes.wgsl.

const LANES = 1u;

fn broadcast(value: f32, lane: u32) -> f32 {
  return value;
}
