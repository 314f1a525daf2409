// V is one float: the counterpart of wide.wgsl.
alias V = f32;
alias U = u32;

fn nan_in(x: V) -> bool {
  return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u);
}

fn packed(p: U) -> u32 {
  return p;
}

fn unpacked(word: u32) -> U {
  return word;
}

fn first_of(v: V) -> f32 {
  return v;
}
