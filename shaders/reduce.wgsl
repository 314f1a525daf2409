// Sums over the middle axis of a tensor seen as [outer, axis, inner], in chunks: one invocation adds up one chunk, and
// the launcher reduces the chunks again until one is left. The order is fixed, so the same input gives the same bits.

struct Params {
  outputs: u32,  // outer * chunks * inner, in units of V, as is inner
  extent: u32,
  inner: u32,
  chunks: u32,   // chunk k has positions k, k + chunks, ..., so that neighbours read neighbouring memory
  factor: f32,   // multiplies the result: 1 / count for a mean
  square: u32,   // 1: sums squares
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> out: array<V>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn reduce_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.outputs; i += groups.x * WORKGROUP) {
    let inner = i % params.inner;
    let chunk = (i / params.inner) % params.chunks;
    let outer = i / (params.inner * params.chunks);
    var sum = V(0.0);
    for (var k = chunk; k < params.extent; k += params.chunks) {
      let v = x[(outer * params.extent + k) * params.inner + inner];
      sum += select(v, v * v, params.square == 1u);
    }
    out[i] = sum * params.factor;
  }
}
