/**
 * What an update rule may do with its operands. A rule is written once over this interface; what `T`
 * is decides what becomes of it: tensors (`tensor-algebra.ts`), plain numbers (tests), WGSL (a kernel).
 */
export interface Algebra<T> {
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  mul(a: T, b: T): T;
  div(a: T, b: T): T;
  square(a: T): T;
  sqrt(a: T): T;
  abs(a: T): T;
  /** −1, 0 or 1. */
  sign(a: T): T;
}
