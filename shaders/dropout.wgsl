// Dropout with a mask that is a function of (seed, index): the backward draws the same mask again, and nothing is kept.
// The seed lies in memory, so that a captured step can be given another one each time it is replayed.

struct Params {
  size: u32,      // in fours; what lies past a tensor's end is never used
  threshold: u32, // an element is dropped when its random word is below
  keep_scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> seed: array<u32>; // one element
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>;

// PCG output permutation over a counter (Jarzynski and Olano, 2020), twice so that seeds do not overlap.
fn pcg(word: vec4u) -> vec4u {
  let state = word * 747796405u + 2891336453u;
  let mixed = ((state >> ((state >> vec4u(28u)) + 4u)) ^ state) * 277803737u;
  return (mixed >> vec4u(22u)) ^ mixed;
}

@compute @workgroup_size(WORKGROUP)
fn dropout(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let key = vec4u(seed[0]);
  let span = span_of(id, groups, params.size);
  for (var i = span.begin; i < span.end; i += WORKGROUP) {
    let word = pcg(pcg(vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u)) ^ key);
    out[i] = select(x[i] * params.keep_scale, vec4f(0.0), word < vec4u(params.threshold));
  }
}
