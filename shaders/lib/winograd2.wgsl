// The one-dimensional transforms of F(2, 3): two neighbouring outputs of a correlation with three taps, by four products
// in place of six. Interpolation at 0, 1, -1 and infinity (Lavin & Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2015). Column is declared by the kernel.

const TILE = 2u;  // outputs
const PATCH = 4u; // inputs, and products

fn transform_input(d: array<Column, PATCH>) -> array<Column, PATCH> {
  return array<Column, PATCH>(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
}

fn transform_weight(g: array<f32, 3>) -> array<f32, PATCH> {
  let even = 0.5 * (g[0] + g[2]);
  let odd = 0.5 * g[1];
  return array<f32, PATCH>(g[0], even + odd, even - odd, g[2]);
}

fn transform_output(m: array<Column, PATCH>) -> array<Column, TILE> {
  return array<Column, TILE>(m[0] + m[1] + m[2], m[1] - m[2] - m[3]);
}

// The adjoints of the last two, for the weight gradient.

fn transform_gradient(y: array<Column, TILE>) -> array<Column, PATCH> {
  return array<Column, PATCH>(y[0], y[0] + y[1], y[0] - y[1], -y[1]);
}

fn transform_back(u: array<f32, PATCH>) -> array<f32, 3> {
  let even = 0.5 * (u[1] + u[2]);
  return array<f32, 3>(u[0] + even, 0.5 * (u[1] - u[2]), even + u[3]);
}
