// The one-dimensional transforms of F(4, 3): four neighbouring outputs of a correlation with three taps, by six products
// in place of twelve. Interpolation at 0, P, -P, Q, -Q and infinity. The usual points 1 and 2 lose two digits; 5/8 and
// 3/2 keep the error within twice that of plain sums (src/kernels/conv2d/winograd.ts), and all constants below are exact but the
// weights' divisors. Column is declared by the kernel.

const TILE = 4u;  // outputs
const PATCH = 6u; // inputs, and products

const P = 0.625;
const Q = 1.5;
const P2 = P * P;
const Q2 = Q * Q;

// Rows of the input transform: the coefficients of the polynomial that is 0 at every point but the row's own.
fn transform_input(d: array<Column, PATCH>) -> array<Column, PATCH> {
  let even_p = d[4] - Q2 * d[2];
  let odd_p = P * (d[3] - Q2 * d[1]);
  let even_q = d[4] - P2 * d[2];
  let odd_q = Q * (d[3] - P2 * d[1]);
  return array<Column, PATCH>(
    (P2 * Q2) * d[0] - (P2 + Q2) * d[2] + d[4],
    even_p + odd_p,
    even_p - odd_p,
    even_q + odd_q,
    even_q - odd_q,
    (P2 * Q2) * d[1] - (P2 + Q2) * d[3] + d[5],
  );
}

// The kernel's polynomial at each point, divided by that row's polynomial there.
fn transform_weight(g: array<f32, 3>) -> array<f32, PATCH> {
  const AT_P = 1.0 / (2.0 * P2 * (P2 - Q2));
  const AT_Q = 1.0 / (2.0 * Q2 * (Q2 - P2));
  let even_p = AT_P * (g[0] + P2 * g[2]);
  let odd_p = (AT_P * P) * g[1];
  let even_q = AT_Q * (g[0] + Q2 * g[2]);
  let odd_q = (AT_Q * Q) * g[1];
  return array<f32, PATCH>((1.0 / (P2 * Q2)) * g[0], even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, g[2]);
}

// Powers of the points.
fn transform_output(m: array<Column, PATCH>) -> array<Column, TILE> {
  let even_p = m[1] + m[2];
  let odd_p = P * (m[1] - m[2]);
  let even_q = m[3] + m[4];
  let odd_q = Q * (m[3] - m[4]);
  return array<Column, TILE>(m[0] + even_p + even_q, odd_p + odd_q, P2 * even_p + Q2 * even_q, P2 * odd_p + Q2 * odd_q + m[5]);
}

// The adjoints of the last two, for the weight gradient.

fn transform_gradient(y: array<Column, TILE>) -> array<Column, PATCH> {
  let even_p = y[0] + P2 * y[2];
  let odd_p = P * (y[1] + P2 * y[3]);
  let even_q = y[0] + Q2 * y[2];
  let odd_q = Q * (y[1] + Q2 * y[3]);
  return array<Column, PATCH>(y[0], even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, y[3]);
}

fn transform_back(u: array<f32, PATCH>) -> array<f32, 3> {
  const AT_P = 1.0 / (2.0 * P2 * (P2 - Q2));
  const AT_Q = 1.0 / (2.0 * Q2 * (Q2 - P2));
  let even_p = AT_P * (u[1] + u[2]);
  let even_q = AT_Q * (u[3] + u[4]);
  return array<f32, 3>(
    (1.0 / (P2 * Q2)) * u[0] + even_p + even_q,
    (AT_P * P) * (u[1] - u[2]) + (AT_Q * Q) * (u[3] - u[4]),
    P2 * even_p + Q2 * even_q + u[5],
  );
}
