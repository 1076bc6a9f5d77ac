// The blend in WebAssembly SIMD, as AssemblyScript; `npm run kernels` compiles it into
// ../kernels-wasm.ts. Equal to the plain loops in ../plain-kernels.ts to the bit: the same
// double-precision operations in the same order, and WebAssembly never fuses a multiplication with
// an addition.

/**
 * out ← s + a·(f − s), rounded once to float32; s where f = s, which keeps −0. s, f, out: byte
 * positions; n: weights. out may be s.
 */
export function blend(s: usize, f: usize, out: usize, n: u32, a: f64): void {
  const a2 = f64x2.splat(a);
  const n4 = n & ~3;
  // Counted by index, not by an end position: that would be 2^32 = 0 at the end of a 4 GiB memory.
  let i: u32 = 0;
  for (; i < n4; i += 4) {
    const s0 = f64x2.promote_low_f32x4(v128.load64_zero(s));
    const s1 = f64x2.promote_low_f32x4(v128.load64_zero(s, 8));
    const f0 = f64x2.promote_low_f32x4(v128.load64_zero(f));
    const f1 = f64x2.promote_low_f32x4(v128.load64_zero(f, 8));
    const o0 = f32x4.demote_f64x2_zero(f64x2.add(s0, f64x2.mul(a2, f64x2.sub(f0, s0))));
    const o1 = f32x4.demote_f64x2_zero(f64x2.add(s1, f64x2.mul(a2, f64x2.sub(f1, s1))));
    const sv = v128.load(s);
    const same = f32x4.eq(sv, v128.load(f));
    v128.store(out, v128.bitselect(sv, v128.shuffle<i64>(o0, o1, 0, 2), same));
    s += 16;
    f += 16;
    out += 16;
  }
  for (; i < n; i++) {
    const s0 = f32.load(s);
    const f0 = f32.load(f);
    f32.store(out, f0 == s0 ? s0 : <f32>(<f64>s0 + a * (<f64>f0 - <f64>s0)));
    s += 4;
    f += 4;
    out += 4;
  }
}

/** to ← from, n weights. */
export function copy(from: usize, to: usize, n: u32): void {
  memory.copy(to, from, n << 2);
}
