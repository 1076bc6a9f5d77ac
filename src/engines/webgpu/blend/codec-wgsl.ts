// The codecs of quantized slow values in WGSL: the same bits as workers/codecs, which explain them. Whole numbers
// wherever a float could be rounded or a subnormal flushed as the device likes.

import type { QuantizedFormat } from '../../../../workers/codecs/value-format.js';

/** `draw_bits(block, item, round) -> vec4<u32>`. */
const RANDOM_BITS = `
fn draw_bits(block: u32, item: u32, round: u32) -> vec4<u32> {
  var v = vec4<u32>(block, item, round, 0x736c6f77u) * 1664525u + 1013904223u;
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  v ^= v >> vec4<u32>(16u);
  v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
  return v;
}
`;

/** `round_half(x, r) -> u32` (16 bits), `half_value(h) -> f32`. */
const HALF = `
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

/** The same for bf16. */
const BRAIN_HALF = `
fn round_half(x: f32, r: u32) -> u32 {
  let all = bitcast<u32>(x);
  let rounded = ((all & 0x7fffffffu) + (r & 0xffffu)) >> 16u;
  return ((all >> 16u) & 0x8000u) | min(rounded, 0x7f7fu);
}

fn half_value(h: u32) -> f32 {
  return bitcast<f32>(h << 16u);
}
`;

/** `round_half_residual(x, r) -> u32` (16 + 8 bits), `half_residual_value(half, residual) -> f32` (lower 8 bits). */
const HALF_RESIDUAL = `
fn residual_offset(q: i32) -> i32 {
  let offset = (abs(q) * 4096 + 63) / 127;
  return select(offset, -offset, q < 0);
}

fn round_half_residual(x: f32, r: u32) -> u32 {
  let all = bitcast<u32>(x);
  let magnitude = all & 0x7fffffffu;
  var half: u32;
  var rest: i32;
  if (magnitude < 0x38800000u) {
    let fixed = u32(select(0.0, bitcast<f32>(magnitude) * 0x1p44f, magnitude >= 0x00800000u));
    half = (fixed + 0x7ffffu) >> 20u;
    rest = i32(fixed) - i32(half << 20u);
  } else {
    half = min((magnitude + 0xfffu) >> 13u, 0x23bffu);
    let steps = min(i32(magnitude) - i32(half << 13u), 4096);
    rest = steps * select(128, 64, steps < 0 && (half & 0x3ffu) == 0u);
    half -= 0x1c000u;
  }
  var q = (rest * 127) >> 19u;
  if (residual_offset(q) * 128 > rest) { q -= 1; }
  else if (residual_offset(q + 1) * 128 <= rest) { q += 1; }
  let below = residual_offset(q) * 128;
  let gap = residual_offset(q + 1) * 128 - below;
  if ((r & 0xffffu) * u32(gap) < u32(rest - below) * 65536u) { q += 1; }
  if (q == -127) { half -= 1u; q = 127; }
  else if (q == -64 && half > 0x400u && (half & 0x3ffu) == 0u) { half -= 1u; q = 126; }
  return ((all >> 16u) & 0x8000u) | half | ((bitcast<u32>(q) & 0xffu) << 16u);
}

fn half_residual_value(half: u32, residual: u32) -> f32 {
  let magnitude = half & 0x7fffu;
  let q = bitcast<i32>(residual << 24u) >> 24u;
  let offset = residual_offset(q);
  let is_under_power = q < 0 && (magnitude & 0x3ffu) == 0u;
  let normal = i32((magnitude << 13u) + 0x38000000u) + offset * select(1, 2, is_under_power);
  let small = bitcast<i32>(f32(i32(magnitude) * 8192 + offset) * 0x1p-37f);
  return bitcast<f32>(bitcast<u32>(select(normal, small, magnitude < 0x400u)) | ((half & 0x8000u) << 16u));
}
`;

/** `round_int8(x, largest, r) -> u32` (8 bits), `int8_value(code, largest) -> f32`; `largest`: bits. */
const INT8 = `
fn mantissa_of(magnitude: u32) -> u32 {
  return (magnitude & 0x7fffffu) | 0x800000u;
}

fn grid_of(q: u32, top: u32) -> u32 {
  return (q * top) / 127u;
}

fn round_int8(x: f32, largest: u32, r: u32) -> u32 {
  let all = bitcast<u32>(x);
  let magnitude = all & 0x7fffffffu;
  if (largest == 0u || magnitude < 0x800000u) { return 0u; }
  let top = mantissa_of(largest);
  let whole = mantissa_of(magnitude) >> min((largest >> 23u) - (magnitude >> 23u), 31u);
  var q = (whole * 127u) / top;
  if (grid_of(q + 1u, top) <= whole) { q += 1u; }
  let below = grid_of(q, top);
  let gap = grid_of(q + 1u, top) - below;
  if ((r & 0x3fffu) * gap < (whole - below) * 16384u) { q += 1u; }
  return select(q, 0u - q, (all >> 31u) == 1u) & 0xffu;
}

fn int8_value(code: u32, largest: u32) -> f32 {
  if (largest == 0u) { return 0.0; }
  let q = bitcast<i32>(code << 24u) >> 24u;
  let unit = bitcast<f32>(largest & 0x7f800000u);
  let x = f32(grid_of(u32(abs(q)), mantissa_of(largest))) * 0x1p-23f * unit;
  return select(x, -x, q < 0);
}
`;

export const CODEC_WGSL: Readonly<Record<QuantizedFormat, string>> = {
  f16r8: RANDOM_BITS + HALF_RESIDUAL,
  f16: RANDOM_BITS + HALF,
  bf16: RANDOM_BITS + BRAIN_HALF,
  int8: RANDOM_BITS + INT8,
};
