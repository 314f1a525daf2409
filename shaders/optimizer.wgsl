// One optimiser step of up to three parameters, in place, and gradient clipping. Formulas as torch.optim has them.
// Sizes and places are in vec4f: storages are whole ones, and what lies past a tensor's end is never used.

struct Params {
  size0: u32, size1: u32, size2: u32,    // of the parameters; 0 where there is none
  start0: u32, start1: u32, start2: u32, // of their state
  rate0: u32, rate1: u32, rate2: u32,    // of their rates
  moments: u32,                          // where second moments begin in the state
  weight_decay: f32,
  momentum: f32,
  nesterov: u32,
  beta1: f32,
  beta2: f32,
  eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> param0: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> param1: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> param2: array<vec4f>;
@group(0) @binding(4) var<storage, read> grad0: array<vec4f>;
@group(0) @binding(5) var<storage, read> grad1: array<vec4f>;
@group(0) @binding(6) var<storage, read> grad2: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> state: array<vec4f>; // momentum, or first and second moments
// What differs from step to step. SGD: x is the learning rate. AdamW: x is lr / (1 - beta1^t), y is sqrt(1 - beta2^t),
// z is 1 - lr * weight decay.
@group(0) @binding(8) var<storage, read> rates: array<vec4f>;

fn sgd_of(p: vec4f, g: vec4f, rate: vec4f) -> vec4f {
  return p - rate.x * (g + params.weight_decay * p);
}

@compute @workgroup_size(WORKGROUP)
fn sgd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span0 = span_of(id, groups, params.size0);
  for (var i = span0.begin; i < span0.end; i += WORKGROUP) { param0[i] = sgd_of(param0[i], grad0[i], rates[params.rate0]); }
  let span1 = span_of(id, groups, params.size1);
  for (var i = span1.begin; i < span1.end; i += WORKGROUP) { param1[i] = sgd_of(param1[i], grad1[i], rates[params.rate1]); }
  let span2 = span_of(id, groups, params.size2);
  for (var i = span2.begin; i < span2.end; i += WORKGROUP) { param2[i] = sgd_of(param2[i], grad2[i], rates[params.rate2]); }
}

// The momentum begins as zeros, so that after the first step it is the gradient.
fn momentum_of(p: vec4f, grad: vec4f, at: u32, rate: vec4f) -> vec4f {
  let g = grad + params.weight_decay * p;
  let v = params.momentum * state[at] + g;
  state[at] = v;
  return p - rate.x * select(v, g + params.momentum * v, params.nesterov == 1u);
}

@compute @workgroup_size(WORKGROUP)
fn sgd_momentum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span0 = span_of(id, groups, params.size0);
  for (var i = span0.begin; i < span0.end; i += WORKGROUP) { param0[i] = momentum_of(param0[i], grad0[i], params.start0 + i, rates[params.rate0]); }
  let span1 = span_of(id, groups, params.size1);
  for (var i = span1.begin; i < span1.end; i += WORKGROUP) { param1[i] = momentum_of(param1[i], grad1[i], params.start1 + i, rates[params.rate1]); }
  let span2 = span_of(id, groups, params.size2);
  for (var i = span2.begin; i < span2.end; i += WORKGROUP) { param2[i] = momentum_of(param2[i], grad2[i], params.start2 + i, rates[params.rate2]); }
}

fn adamw_of(p: vec4f, g: vec4f, at: u32, rate: vec4f) -> vec4f {
  let m = params.beta1 * state[at] + (1.0 - params.beta1) * g;
  let v = params.beta2 * state[params.moments + at] + (1.0 - params.beta2) * g * g;
  state[at] = m;
  state[params.moments + at] = v;
  return rate.z * p - rate.x * m / (sqrt(v) / rate.y + params.eps);
}

@compute @workgroup_size(WORKGROUP)
fn adamw(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let span0 = span_of(id, groups, params.size0);
  for (var i = span0.begin; i < span0.end; i += WORKGROUP) { param0[i] = adamw_of(param0[i], grad0[i], params.start0 + i, rates[params.rate0]); }
  let span1 = span_of(id, groups, params.size1);
  for (var i = span1.begin; i < span1.end; i += WORKGROUP) { param1[i] = adamw_of(param1[i], grad1[i], params.start1 + i, rates[params.rate1]); }
  let span2 = span_of(id, groups, params.size2);
  for (var i = span2.begin; i < span2.end; i += WORKGROUP) { param2[i] = adamw_of(param2[i], grad2[i], params.start2 + i, rates[params.rate2]); }
}
