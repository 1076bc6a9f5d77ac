// The codecs of quantized slow weights. They equal those in ../codecs, which explain them, to the bit.
// from, to: byte positions; n: weights; start: the first element within its variable; item, round: the draw.

let r0: u32 = 0;
let r1: u32 = 0;
let r2: u32 = 0;
let r3: u32 = 0;

function drawBits(block: u32, item: u32, round: u32): void {
  let x = block * 1664525 + 1013904223;
  let y = item * 1664525 + 1013904223;
  let z = round * 1664525 + 1013904223;
  let w: u32 = 0x736c6f77 * 1664525 + 1013904223;
  x += y * w;
  y += z * x;
  z += x * y;
  w += y * z;
  x ^= x >>> 16;
  y ^= y >>> 16;
  z ^= z >>> 16;
  w ^= w >>> 16;
  x += y * w;
  y += z * x;
  z += x * y;
  w += y * z;
  r0 = x;
  r1 = y;
  r2 = z;
  r3 = w;
}

/** Random bits of element i: those of the four around it are drawn at the first. */
function bitsOf(i: u32, start: u32, item: u32, round: u32): u32 {
  const lane = i & 3;
  if (lane == 0) {
    drawBits((start + i) >>> 2, item, round);
    return r0;
  }
  return lane == 1 ? r1 : lane == 2 ? r2 : r3;
}

function roundHalf(all: u32, r: u32): u32 {
  const sign = (all >>> 16) & 0x8000;
  const magnitude = all & 0x7fffffff;
  if (magnitude < 0x38800000) {
    const scaled: f32 = magnitude < 0x800000 ? 0 : reinterpret<f32>(magnitude) * 16777216;
    const whole = floor<f32>(scaled);
    const up: u32 = <f32>(r >>> 8) * <f32>5.960464477539063e-8 < scaled - whole ? 1 : 0;
    return sign | (<u32>whole + up);
  }
  return sign | min<u32>(((magnitude + (r & 0x1fff)) >>> 13) - 0x1c000, 0x7bff);
}

function halfBits(half: u32): u32 {
  const magnitude = half & 0x7fff;
  const x =
    magnitude < 0x400
      ? reinterpret<u32>(<f32>magnitude * <f32>5.960464477539063e-8)
      : (magnitude << 13) + 0x38000000;
  return x | ((half & 0x8000) << 16);
}

export function packF16(from: usize, to: usize, n: u32, start: u32, item: u32, round: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    store<u16>(to, <u16>roundHalf(load<u32>(from), bitsOf(i, start, item, round)));
    from += 4;
    to += 2;
  }
}

export function unpackF16(from: usize, to: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    store<u32>(to, halfBits(load<u16>(from)));
    from += 2;
    to += 4;
  }
}

export function packBf16(from: usize, to: usize, n: u32, start: u32, item: u32, round: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const all = load<u32>(from);
    const rounded = ((all & 0x7fffffff) + (bitsOf(i, start, item, round) & 0xffff)) >>> 16;
    store<u16>(to, <u16>(((all >>> 16) & 0x8000) | min<u32>(rounded, 0x7f7f)));
    from += 4;
    to += 2;
  }
}

export function unpackBf16(from: usize, to: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    store<u32>(to, (<u32>load<u16>(from)) << 16);
    from += 2;
    to += 4;
  }
}

function residualOffset(q: i32): i32 {
  const offset = <i32>((<u32>abs<i32>(q) * 4096 + 63) / 127);
  return q < 0 ? -offset : offset;
}

/** fp16 in the lower 16 bits, residual in the 8 above. */
function roundHalfResidual(all: u32, r: u32): u32 {
  const magnitude = all & 0x7fffffff;
  let half: u32;
  let rest: i32;
  if (magnitude < 0x38800000) {
    const fixed: u32 =
      magnitude < 0x800000 ? 0 : <u32>(reinterpret<f32>(magnitude) * <f32>17592186044416);
    half = (fixed + 0x7ffff) >>> 20;
    rest = <i32>fixed - <i32>(half << 20);
  } else {
    half = min<u32>((magnitude + 0xfff) >>> 13, 0x23bff);
    const steps = min<i32>(<i32>magnitude - <i32>(half << 13), 4096);
    rest = steps * (steps < 0 && (half & 0x3ff) == 0 ? 64 : 128);
    half -= 0x1c000;
  }
  let q: i32 = (rest * 127) >> 19;
  let below = residualOffset(q) * 128;
  let above = residualOffset(q + 1) * 128;
  if (below > rest) {
    q--;
    above = below;
    below = residualOffset(q) * 128;
  } else if (above <= rest) {
    q++;
    below = above;
    above = residualOffset(q + 1) * 128;
  }
  if ((r & 0xffff) * <u32>(above - below) < <u32>(rest - below) * 65536) q++;
  if (q == -127) {
    half--;
    q = 127;
  } else if (q == -64 && half > 0x400 && (half & 0x3ff) == 0) {
    half--;
    q = 126;
  }
  return ((all >>> 16) & 0x8000) | half | ((q & 0xff) << 16);
}

export function packF16r8(from: usize, to: usize, n: u32, start: u32, item: u32, round: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const both = roundHalfResidual(load<u32>(from), bitsOf(i, start, item, round));
    const group = to + (i >>> 2) * 12;
    store<u16>(group + ((i & 3) << 1), <u16>both);
    store<u8>(group + 8 + (i & 3), <u8>(both >>> 16));
    from += 4;
  }
}

export function unpackF16r8(from: usize, to: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const group = from + (i >>> 2) * 12;
    const half: u32 = load<u16>(group + ((i & 3) << 1));
    const q: i32 = load<i8>(group + 8 + (i & 3));
    const magnitude = half & 0x7fff;
    const offset = residualOffset(q);
    const x: u32 =
      magnitude < 0x400
        ? reinterpret<u32>(<f32>(<i32>magnitude * 8192 + offset) * <f32>7.275957614183426e-12)
        : (magnitude << 13) +
          0x38000000 +
          (q < 0 && (magnitude & 0x3ff) == 0 ? 2 * offset : offset);
    store<u32>(to, x | ((half & 0x8000) << 16));
    to += 4;
  }
}

function mantissaOf(magnitude: u32): u32 {
  return (magnitude & 0x7fffff) | 0x800000;
}

function gridOf(q: u32, top: u32): u32 {
  return (q * top) / 127;
}

function roundInt8(all: u32, largest: u32, r: u32): u32 {
  const magnitude = all & 0x7fffffff;
  const shift = (largest >>> 23) - (magnitude >>> 23);
  if (largest == 0 || magnitude < 0x800000 || shift > 23) return 0;
  const top = mantissaOf(largest);
  const whole = mantissaOf(magnitude) >>> shift;
  let q = (whole * 127) / top;
  let below = gridOf(q, top);
  let above = gridOf(q + 1, top);
  if (above <= whole) {
    q++;
    below = above;
    above = gridOf(q + 1, top);
  }
  if ((r & 0x3fff) * (above - below) < (whole - below) * 16384) q++;
  return all >>> 31 == 0 ? q : 0 - q;
}

export function packInt8(from: usize, to: usize, n: u32, start: u32, item: u32, round: u32): void {
  for (let at: u32 = 0; at < n; at += 256) {
    const length = min<u32>(256, n - at);
    let largest: u32 = 0;
    for (let i: u32 = 0; i < length; i++) {
      largest = max<u32>(largest, load<u32>(from + (i << 2)) & 0x7fffffff);
    }
    if (largest < 0x800000) largest = 0;
    store<u32>(to, largest);
    to += 4;
    for (let i: u32 = 0; i < length; i++) {
      const r = bitsOf(i, start + at, item, round);
      store<u8>(to + i, <u8>roundInt8(load<u32>(from), largest, r));
      from += 4;
    }
    to += 256;
  }
}

export function unpackInt8(from: usize, to: usize, n: u32): void {
  for (let at: u32 = 0; at < n; at += 256) {
    const length = min<u32>(256, n - at);
    const largest = load<u32>(from);
    const top = mantissaOf(largest);
    const unit = reinterpret<f32>(largest & 0x7f800000);
    from += 4;
    for (let i: u32 = 0; i < length; i++) {
      const q: i32 = load<i8>(from + i);
      // In double precision, so that a small block's values are rounded once.
      const x = <f32>(<f64>gridOf(abs<i32>(q), top) * 1.1920928955078125e-7 * <f64>unit);
      store<f32>(to, largest == 0 ? 0 : q < 0 ? -x : x);
      to += 4;
    }
    from += 256;
  }
}
