// One optimiser step of one parameter, in place, and gradient clipping. Formulas as torch.optim has them.

struct Params {
  size: u32,
  lr: f32,
  weight_decay: f32,
  momentum: f32,
  nesterov: u32,
  first: u32, // 1 on the first step: the momentum buffer starts as the gradient
  beta1: f32,
  beta2: f32,
  eps: f32,
  correction1: f32, // 1 - beta1^t
  correction2: f32, // sqrt(1 - beta2^t)
  max_norm: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> param: array<f32>;
@group(0) @binding(2) var<storage, read> grad: array<f32>;
@group(0) @binding(3) var<storage, read_write> state1: array<f32>; // momentum, or the first moment
@group(0) @binding(4) var<storage, read_write> state2: array<f32>; // the second moment
@group(0) @binding(5) var<storage, read> squares: array<f32>;      // one element: sum of squares of all gradients
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn sgd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  param[i] -= params.lr * (grad[i] + params.weight_decay * param[i]);
}

@compute @workgroup_size(WORKGROUP)
fn sgd_momentum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let g = grad[i] + params.weight_decay * param[i];
  let v = select(params.momentum * state1[i] + g, g, params.first == 1u);
  state1[i] = v;
  param[i] -= params.lr * select(v, g + params.momentum * v, params.nesterov == 1u);
}

@compute @workgroup_size(WORKGROUP)
fn adamw(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  let g = grad[i];
  let m = select(params.beta1 * state1[i], 0.0, params.first == 1u) + (1.0 - params.beta1) * g;
  let v = select(params.beta2 * state2[i], 0.0, params.first == 1u) + (1.0 - params.beta2) * g * g;
  state1[i] = m;
  state2[i] = v;
  let decayed = param[i] * (1.0 - params.lr * params.weight_decay);
  param[i] = decayed - params.lr / params.correction1 * m / (sqrt(v) / params.correction2 + params.eps);
}

// Scales a gradient by min(1, max_norm / (norm + 1e-6)), norm being over every parameter's gradient.
@compute @workgroup_size(WORKGROUP)
fn clip(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups, WORKGROUP);
  if (i >= params.size) { return; }
  out[i] = grad[i] * min(1.0, params.max_norm / (sqrt(squares[0]) + 1e-6));
}
