// fp16 with stochastic rounding in WGSL: the same bits as slow/half.ts and slow/random-bits.ts, which explain
// it. Written with integers, because pack2x16float may round as it likes and flush what is small.

/** `round_half(x, r) -> u32` (16 bits), `half_value(h) -> f32`, `draw_bits(block, item, round) -> vec4<u32>`. */
export const HALF_WGSL = `
fn draw_bits(block: u32, item: u32, round: u32) -> vec4<u32> {
  var v = vec4<u32>(block, item, round, 0x736c6f77u) * 1664525u + 1013904223u;
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  v ^= v >> vec4<u32>(16u);
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  return v;
}

fn round_half(x: f32, r: u32) -> u32 {
  let all = bitcast<u32>(x);
  let magnitude = all & 0x7fffffffu;
  let sign = (all >> 16u) & 0x8000u;
  if (magnitude < 0x38800000u) {
    let scaled = select(0.0, bitcast<f32>(magnitude) * 0x1p24f, magnitude >= 0x00800000u);
    let whole = floor(scaled);
    let up = select(0u, 1u, f32(r >> 8u) * 0x1p-24f < scaled - whole);
    return sign | (u32(whole) + up);
  }
  return sign | min(((magnitude + (r & 0x1fffu)) >> 13u) - 0x1c000u, 0x7bffu);
}

fn half_value(h: u32) -> f32 {
  let magnitude = h & 0x7fffu;
  let normal = (magnitude << 13u) + 0x38000000u;
  let small = bitcast<u32>(f32(magnitude) * 0x1p-24f);
  return bitcast<f32>(select(normal, small, magnitude < 0x400u) | ((h & 0x8000u) << 16u));
}
`;
