// NaN by bit pattern: compilers may assume that x != x is never true.
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

// exp and log that keep NaN. WGSL leaves them free to give anything for it, and some drivers give 0.
fn exp_of(x: f32) -> f32 {
  return select(exp(x), x, is_nan(x));
}

fn log_of(x: f32) -> f32 {
  return select(log(x), x, is_nan(x));
}
