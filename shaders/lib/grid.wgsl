// Index of an invocation in a grid that was folded over y because a dimension of it may not pass 65535 workgroups.
fn flat_index(id: vec3u, workgroups: vec3u, size: u32) -> u32 {
  return id.y * workgroups.x * size + id.x;
}
