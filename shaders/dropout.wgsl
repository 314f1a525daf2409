// Dropout with a mask that is a function of (seed, index): the backward draws the same mask again, and nothing is kept.

struct Params {
  size: u32,
  seed: u32,
  threshold: u32, // an element is dropped when its random word is below
  keep_scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WORKGROUP = 64u;

// PCG output permutation over a counter (Jarzynski and Olano, 2020), twice so that seeds do not overlap.
fn pcg(word: u32) -> u32 {
  let state = word * 747796405u + 2891336453u;
  let mixed = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
  return (mixed >> 22u) ^ mixed;
}

@compute @workgroup_size(WORKGROUP)
fn dropout(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let word = pcg(pcg(i) ^ params.seed);
  out[i] = select(x[i] * params.keep_scale, 0.0, word < params.threshold);
}
