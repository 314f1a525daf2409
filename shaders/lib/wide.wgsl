// V is what an invocation reads and writes at once: four neighbouring floats. narrow.wgsl is its counterpart for rows
// whose length is no multiple of four.
alias V = vec4f;
alias U = vec4u;

fn nan_in(x: V) -> vec4<bool> {
  return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u);
}

// Positions below 256, one for each float of V, in one word.
fn packed(p: U) -> u32 {
  return p.x | (p.y << 8u) | (p.z << 16u) | (p.w << 24u);
}

fn unpacked(word: u32) -> U {
  return (U(word) >> U(0u, 8u, 16u, 24u)) & U(255u);
}

fn first_of(v: V) -> f32 {
  return v.x;
}
