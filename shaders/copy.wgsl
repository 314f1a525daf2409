// Slabs moved between tensors seen as [outer, axis, inner] (concatenation and its gradient).

struct Params {
  size: u32,       // elements moved, in units of V, as is inner
  inner: u32,
  from_extent: u32, // extent of the axis on each side, and where the slab begins there
  from_start: u32,
  to_extent: u32,
  to_start: u32,
  extent: u32,     // of the slab
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source_data: array<V>;
@group(0) @binding(2) var<storage, read_write> target_data: array<V>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn copy_slab(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let run = params.inner * params.extent;
  for (var i = id.x; i < params.size; i += groups.x * WORKGROUP) {
    let outer = i / run;
    let within = i - outer * run;
    target_data[(outer * params.to_extent + params.to_start) * params.inner + within] =
      source_data[(outer * params.from_extent + params.from_start) * params.inner + within];
  }
}
