// Moving elements: constants, and slabs between tensors seen as [outer, axis, inner] (concatenation and its gradient).

struct Params {
  size: u32,       // elements moved
  inner: u32,
  from_extent: u32, // extent of the axis on each side, and where the slab begins there
  from_start: u32,
  to_extent: u32,
  to_start: u32,
  extent: u32,     // of the slab
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source_data: array<f32>;
@group(0) @binding(2) var<storage, read_write> target_data: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn copy_slab(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let inner = i % params.inner;
  let along = (i / params.inner) % params.extent;
  let outer = i / (params.inner * params.extent);
  let source = (outer * params.from_extent + params.from_start + along) * params.inner + inner;
  let place = (outer * params.to_extent + params.to_start + along) * params.inner + inner;
  target_data[place] = source_data[source];
}
