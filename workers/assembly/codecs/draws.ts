// The random bits of ../../codecs/random-bits.ts, of four blocks of four elements at a time.
//
// What the loops of the codecs call is @inline: a call would load all constants anew. Only methods may have decorators
// in TypeScript, so these are static ones of classes.

const FACTOR: u32 = 1664525;
const SUMMAND: u32 = 1013904223;
const W: u32 = 0x736c6f77 * FACTOR + SUMMAND;

export class Draws {
  /** What was drawn. Globals, since a function returns only one vector. */
  static a: v128 = i32x4.splat(0);
  static b: v128 = i32x4.splat(0);
  static c: v128 = i32x4.splat(0);
  static d: v128 = i32x4.splat(0);

  /** Of y and z the part that is the same for all elements of a variable. */
  @inline
  static key(number: u32): u32 {
    return number * FACTOR + SUMMAND;
  }

  /** Of the 16 elements from 4·block on, a word each: four elements in each of a, b, c and d. */
  @inline
  static words(block: u32, yKey: u32, zKey: u32): void {
    Draws.draw(block, yKey, zKey, false);
  }

  /** The lower 16 bits of those: of the first eight elements in a, of the others in b. */
  @inline
  static halves(block: u32, yKey: u32, zKey: u32): void {
    Draws.draw(block, yKey, zKey, true);
  }

  /** Lane l of x, y, z and w belongs to block + l, until the transposition at the end. */
  @inline
  private static draw(block: u32, yKey: u32, zKey: u32, asHalves: bool): void {
    const lanes = i32x4(0, FACTOR, 2 * FACTOR, 3 * FACTOR);
    const z0 = i32x4.splat(zKey);
    let x = i32x4.add(
      i32x4.splat(block * FACTOR),
      i32x4.add(lanes, i32x4.splat(SUMMAND + yKey * W)),
    );
    let y = i32x4.add(i32x4.splat(yKey), i32x4.mul(z0, x));
    let z = i32x4.add(z0, i32x4.mul(x, y));
    let w = i32x4.add(i32x4.splat(W), i32x4.mul(y, z));
    x = v128.xor(x, i32x4.shr_u(x, 16));
    y = v128.xor(y, i32x4.shr_u(y, 16));
    z = v128.xor(z, i32x4.shr_u(z, 16));
    w = v128.xor(w, i32x4.shr_u(w, 16));
    x = i32x4.add(x, i32x4.mul(y, w));
    y = i32x4.add(y, i32x4.mul(z, x));
    z = i32x4.add(z, i32x4.mul(x, y));
    w = i32x4.add(w, i32x4.mul(y, z));
    if (asHalves) {
      const lower = i32x4.splat(0xffff);
      const xy = v128.or(v128.and(x, lower), i32x4.shl(y, 16));
      const zw = v128.or(v128.and(z, lower), i32x4.shl(w, 16));
      Draws.a = v128.shuffle<i32>(xy, zw, 0, 4, 1, 5);
      Draws.b = v128.shuffle<i32>(xy, zw, 2, 6, 3, 7);
      return;
    }
    const xy = v128.shuffle<i32>(x, y, 0, 4, 1, 5);
    const zw = v128.shuffle<i32>(z, w, 0, 4, 1, 5);
    Draws.a = v128.shuffle<i64>(xy, zw, 0, 2);
    Draws.b = v128.shuffle<i64>(xy, zw, 1, 3);
    const xy2 = v128.shuffle<i32>(x, y, 2, 6, 3, 7);
    const zw2 = v128.shuffle<i32>(z, w, 2, 6, 3, 7);
    Draws.c = v128.shuffle<i64>(xy2, zw2, 0, 2);
    Draws.d = v128.shuffle<i64>(xy2, zw2, 1, 3);
  }

  /** Moves on by four elements. */
  @inline
  static shift(): void {
    Draws.a = Draws.b;
    Draws.b = Draws.c;
    Draws.c = Draws.d;
  }
}
