// Sums over the middle axis of a tensor seen as [outer, axis, inner], in chunks: one invocation adds up one chunk, and
// the launcher reduces the chunks again until one is left. The order is fixed, so the same input gives the same bits.

struct Params {
  outputs: u32,  // outer * chunks * inner
  extent: u32,
  inner: u32,
  chunks: u32,
  chunk: u32,    // positions of the axis in a chunk
  factor: f32,   // multiplies the result: 1 / count for a mean
  square: u32,   // 1: sums squares
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn reduce_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.outputs) { return; }
  let inner = i % params.inner;
  let chunk = (i / params.inner) % params.chunks;
  let outer = i / (params.inner * params.chunks);
  let begin = chunk * params.chunk;
  let end = min(begin + params.chunk, params.extent);
  var sum = 0.0;
  for (var k = begin; k < end; k++) {
    let v = x[(outer * params.extent + k) * params.inner + inner];
    sum += select(v, v * v, params.square == 1u);
  }
  out[i] = sum * params.factor;
}
