// The operations of update rules as WebAssembly, on one float or on four at a time.

import type { Algebra } from '../../../formula/algebra.js';
import { type Code, codeOf, get, simd, tee, type Type } from './byte-code.js';

/** Each operation takes its operands from the stack. */
export interface Lanes {
  readonly type: Type;
  readonly bytes: number;
  readonly load: Code;
  readonly store: Code;
  /** Of one float: it in each lane. */
  readonly fill: Code;
  readonly add: Code;
  readonly sub: Code;
  readonly mul: Code;
  readonly div: Code;
  readonly sqrt: Code;
  readonly abs: Code;
  readonly neg: Code;
  /** NaN if one of the two is. */
  readonly min: Code;
  readonly max: Code;
  /** 1 where the first is above (below) the second, else 0. */
  readonly above: Code;
  readonly below: Code;
}

const ALIGNED_TO_4 = [2, 0];

export const ONE: Lanes = {
  type: 'f32',
  bytes: 4,
  load: [0x2a, ...ALIGNED_TO_4],
  store: [0x38, ...ALIGNED_TO_4],
  fill: [],
  add: [0x92],
  sub: [0x93],
  mul: [0x94],
  div: [0x95],
  sqrt: [0x91],
  abs: [0x8b],
  neg: [0x8c],
  min: [0x96],
  max: [0x97],
  above: [0x5e, 0xb2], // 1 as an integer, converted
  below: [0x5d, 0xb2],
};

export const FOUR: Lanes = {
  type: 'v128',
  bytes: 16,
  load: [...simd(0), ...ALIGNED_TO_4],
  store: [...simd(11), ...ALIGNED_TO_4],
  fill: simd(19),
  add: simd(228),
  sub: simd(229),
  mul: simd(230),
  div: simd(231),
  sqrt: simd(227),
  abs: simd(224),
  neg: simd(225),
  min: simd(232),
  max: simd(233),
  above: [...simd(68), ...simd(250), ...simd(224)], // −1 as an integer, converted, without its sign
  below: [...simd(67), ...simd(250), ...simd(224)],
};

/** `T` is the code that leaves a value on the stack. `scratch`: a local that nothing else uses. */
export function algebraOn(lanes: Lanes, scratch: number): Algebra<Code> {
  const zero = [0x43, 0, 0, 0, 0, ...lanes.fill];
  return {
    add: (a, b) => codeOf(a, b, lanes.add),
    sub: (a, b) => codeOf(a, b, lanes.sub),
    mul: (a, b) => codeOf(a, b, lanes.mul),
    div: (a, b) => codeOf(a, b, lanes.div),
    square: (a) => codeOf(a, tee(scratch), get(scratch), lanes.mul),
    sqrt: (a) => codeOf(a, lanes.sqrt),
    abs: (a) => codeOf(a, lanes.abs),
    // (a > 0) − (a < 0): 0 of NaN and of −0, as in tfjs.
    sign: (a) =>
      codeOf(
        codeOf(a, tee(scratch), zero, lanes.above),
        codeOf(get(scratch), zero, lanes.below),
        lanes.sub,
      ),
  };
}
