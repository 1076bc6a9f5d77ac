/**
 * The operations of an update rule. A rule is written once over this interface; `T` decides what it becomes:
 * tensors (`tensor-algebra.ts`), plain numbers (tests) or WGSL (a kernel).
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
