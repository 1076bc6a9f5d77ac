// Einsum as one matrix product. tfjs's cpu backend makes the whole outer product first, and then sums.

import * as tf from '@tensorflow/tfjs-core';

import type { WasmBackend } from '../../../tfjs/wasm-backend.js';
import { type KernelCall, run, transposed, withFloats, withMade } from '../kernel.js';
import { matMul } from './mat-mul.js';

type Call = KernelCall<readonly tf.TensorInfo[], { readonly equation: string }>;

/** A label is the number of an axis; those of the result come first, in order. */
type Labels = readonly number[];

export function einsum({ inputs: tensors, attrs: { equation }, backend }: Call): tf.TensorInfo {
  const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(
    equation,
    tensors.length,
  );
  tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, tensors as tf.Tensor[]);
  const result = allDims.slice(0, allDims.length - summedDims.length).map((_, label) => label);
  const written = equation.replaceAll(/\s/g, '').split('->')[1] ?? '';
  if (new Set(written).size !== written.length) {
    throw new RangeError(`einsum cannot repeat a label in the result, got '${equation}'.`);
  }
  // What only one tensor has, and not the result, is summed before.
  const isNeeded = (label: number, own: number) =>
    result.includes(label) || idDims.some((other, i) => i !== own && other.includes(label));
  const labels = idDims.map((own, i) => own.filter((label) => isNeeded(label, i)));
  const reduce = (x: tf.TensorInfo, i: number) => {
    const axis = (idDims[i] ?? []).flatMap((label, at) => (isNeeded(label, i) ? [] : [at]));
    return axis.length === 0 ? x : sumOver(backend, x, axis);
  };
  const [first] = tensors;
  const isMixed = tensors.some(({ dtype }) => dtype !== first?.dtype);
  const compute = (...given: readonly tf.TensorInfo[]) =>
    withMade(backend, given, reduce, (a, b) => {
      if (a === undefined) throw new RangeError('einsum needs a tensor.');
      return b === undefined
        ? ordered(backend, a, labels[0] ?? [], result)
        : product(backend, [a, b], labels, result);
    });
  return isMixed ? withFloats(backend, tensors, compute) : compute(...tensors);
}

/** tfjs's own Sum leaves what it makes of no elements as it was allocated. */
function sumOver(backend: WasmBackend, x: tf.TensorInfo, axis: number[]): tf.TensorInfo {
  const sum = run(backend, 'Sum', { x }, { axis, keepDims: false });
  if (tf.util.sizeFromShape(x.shape) === 0) backend.typedArrayFromHeap(sum).fill(0);
  return sum;
}

function product(
  backend: WasmBackend,
  [a, b]: readonly [tf.TensorInfo, tf.TensorInfo],
  [ofA = [], ofB = []]: readonly Labels[],
  result: Labels,
): tf.TensorInfo {
  const shared = ofA.filter((label) => ofB.includes(label));
  const batch = shared.filter((label) => result.includes(label));
  const inner = shared.filter((label) => !result.includes(label));
  const left = ofA.filter((label) => !shared.includes(label));
  const right = ofB.filter((label) => !shared.includes(label));
  const sizes = new Map([...ofA.entries()].map(([at, label]) => [label, a.shape[at] ?? 0]));
  for (const [at, label] of ofB.entries()) sizes.set(label, b.shape[at] ?? 0);
  const shapeOf = (labels: Labels) => labels.map((label) => sizes.get(label) ?? 0);
  const size = (labels: Labels) => tf.util.sizeFromShape(shapeOf(labels));
  const matrices = (x: tf.TensorInfo, rows: Labels, columns: Labels): tf.TensorInfo => ({
    ...x,
    shape: [size(batch), size(rows), size(columns)],
  });
  // A matrix that lies there transposed is taken as it is.
  const transposeA = isSame(ofA, [...batch, ...inner, ...left]);
  const transposeB = isSame(ofB, [...batch, ...right, ...inner]);
  const orderA = transposeA ? ofA : [...batch, ...left, ...inner];
  const orderB = transposeB ? ofB : [...batch, ...inner, ...right];
  const made = withMade(
    backend,
    [a, b],
    (x, i) => (i === 0 ? reordered(backend, x, ofA, orderA) : reordered(backend, x, ofB, orderB)),
    (x, y) =>
      matMul({
        inputs: {
          a: transposeA ? matrices(x, inner, left) : matrices(x, left, inner),
          b: transposeB ? matrices(y, right, inner) : matrices(y, inner, right),
        },
        attrs: { transposeA, transposeB },
        backend,
      }),
  );
  const order = [...batch, ...left, ...right];
  const shaped = { ...made, shape: shapeOf(order) };
  if (isSame(order, result)) return shaped;
  try {
    return reordered(backend, shaped, order, result);
  } finally {
    backend.disposeData(made.dataId);
  }
}

/** A tensor of its own, with its axes in this order. */
function ordered(backend: WasmBackend, x: tf.TensorInfo, from: Labels, to: Labels): tf.TensorInfo {
  return isSame(from, to) ? run(backend, 'Identity', { x }) : reordered(backend, x, from, to);
}

/** The tensor itself if it has this order. */
function reordered(
  backend: WasmBackend,
  x: tf.TensorInfo,
  from: Labels,
  to: Labels,
): tf.TensorInfo {
  if (isSame(from, to)) return x;
  return transposed(
    backend,
    x,
    to.map((label) => from.indexOf(label)),
  );
}

function isSame(a: Labels, b: Labels): boolean {
  return tf.util.arraysEqual([...a], [...b]);
}
