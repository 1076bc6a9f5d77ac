// BatchMatMul in any layout. tfjs's own takes a slow path for a transposed operand, which each backward pass has, and for
// more than one matrix, as in attention; where it does not, it keeps a packed copy of the right operand.

import * as tf from '@tensorflow/tfjs-core';

import { positionsOf } from '../../../tfjs/wasm-backend.js';
import { kernelsOn } from '../heap-kernels.js';
import type { KernelCall } from '../kernel.js';

export interface MatMulInputs {
  readonly a: tf.TensorInfo;
  readonly b: tf.TensorInfo;
}

export interface MatMulAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

type Call = KernelCall<MatMulInputs, MatMulAttributes>;

/** One product. Element (i, l) of A lies aRow·i + aColumn·l from its begin; B likewise. */
interface Layout {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly aRow: number;
  readonly aColumn: number;
  readonly bRow: number;
  readonly bColumn: number;
}

export function matMul(call: Call): tf.TensorInfo {
  const { inputs, attrs, backend } = call;
  const { a, b } = inputs;
  const layout = layoutOf(a, b, attrs);
  const { m, n } = layout;
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(
    a.shape.slice(0, -2),
    b.shape.slice(0, -2),
  );
  const { compiled, scratch } = kernelsOn(backend);
  const room = scratch(compiled.scratchBytes()); // first: it may throw
  const out = backend.makeOutput([...batch, m, n], a.dtype);
  const pairs = pairsOf(batch, a.shape, b.shape);
  if (a.dtype === 'float32' && b.dtype === 'float32') multiply(call, layout, pairs, { out, room });
  else multiplyWhole(call, layout, pairs, out);
  return out;
}

function layoutOf(
  { shape: a }: tf.TensorInfo,
  { shape: b }: tf.TensorInfo,
  { transposeA, transposeB }: MatMulAttributes,
): Layout {
  const [aRows = 0, aColumns = 0] = a.slice(-2);
  const [bRows = 0, bColumns = 0] = b.slice(-2);
  const k = transposeA ? aRows : aColumns;
  const inner = transposeB ? bColumns : bRows;
  if (k !== inner) {
    throw new RangeError(
      `Error in matMul: inner shapes (${k}) and (${inner}) of Tensors with shapes ${a.join()} and ${b.join()} and ` +
        `transposeA=${transposeA} and transposeB=${transposeB} must match.`,
    );
  }
  return {
    m: transposeA ? aColumns : aRows,
    n: transposeB ? bRows : bColumns,
    k,
    aRow: transposeA ? 1 : aColumns,
    aColumn: transposeA ? aColumns : 1,
    bRow: transposeB ? 1 : bColumns,
    bColumn: transposeB ? bColumns : 1,
  };
}

/** For each matrix of the result, which of A and which of B it is the product of. */
function pairsOf(
  batch: readonly number[],
  a: readonly number[],
  b: readonly number[],
): (readonly [a: number, b: number])[] {
  const ofA = matricesOf(batch, a);
  const ofB = matricesOf(batch, b);
  return ofA.map((matrix, i) => [matrix, ofB[i] ?? 0]);
}

function matricesOf(batch: readonly number[], shape: readonly number[]): number[] {
  const own = shape.slice(0, -2);
  let matrices = [0];
  for (const [axis, size] of batch.entries()) {
    const ownSize = own[axis - (batch.length - own.length)] ?? 1;
    matrices = matrices.flatMap((before) =>
      Array.from({ length: size }, (_, i) => before * ownSize + (ownSize === 1 ? 0 : i)),
    );
  }
  return matrices;
}

function multiply(
  { inputs: { a, b }, backend }: Call,
  { m, n, k, aRow, aColumn, bRow, bColumn }: Layout,
  pairs: readonly (readonly [number, number])[],
  { out, room }: { readonly out: tf.TensorInfo; readonly room: number },
): void {
  const { compiled } = kernelsOn(backend);
  const [atA, atB, atOut] = positionsOf(backend, a, b, out);
  for (const [i, [ofA, ofB]] of pairs.entries()) {
    const left = atA + 4 * ofA * m * k;
    const right = atB + 4 * ofB * k * n;
    const to = atOut + 4 * i * m * n;
    compiled.matMul(left, aRow, aColumn, right, bRow, bColumn, to, m, n, k, room);
  }
}

/** Other numbers than float32: rare, so plain loops. Sums are exact up to 2⁵³. */
function multiplyWhole(
  { inputs: { a, b }, backend }: Call,
  { m, n, k, aRow, aColumn, bRow, bColumn }: Layout,
  pairs: readonly (readonly [number, number])[],
  out: tf.TensorInfo,
): void {
  const results = backend.typedArrayFromHeap(out);
  const left = backend.typedArrayFromHeap(a);
  const right = backend.typedArrayFromHeap(b);
  let at = 0;
  for (const [ofA, ofB] of pairs) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const x = left[ofA * m * k + i * aRow + l * aColumn] ?? 0;
          sum += x * (right[ofB * k * n + l * bRow + j * bColumn] ?? 0);
        }
        results[at++] = sum;
      }
    }
  }
}
