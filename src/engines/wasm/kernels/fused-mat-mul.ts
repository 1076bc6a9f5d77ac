// _FusedMatMul: our product, then tfjs's own kernels for bias and activation, as its cpu backend does it.

import type * as tf from '@tensorflow/tfjs-core';

import { type KernelCall, run } from '../kernel.js';
import { matMul, type MatMulAttributes, type MatMulInputs } from './mat-mul.js';

type Inputs = MatMulInputs & {
  readonly bias?: tf.TensorInfo | null;
  readonly preluActivationWeights?: tf.TensorInfo | null;
};

type Attributes = MatMulAttributes & {
  readonly activation?: string | null;
  readonly leakyreluAlpha?: number | null;
};

const KERNELS: Readonly<Record<string, string>> = {
  relu: 'Relu',
  relu6: 'Relu6',
  elu: 'Elu',
  sigmoid: 'Sigmoid',
  prelu: 'Prelu',
  leakyrelu: 'LeakyRelu',
};

export function fusedMatMul({
  inputs: { a, b, bias, preluActivationWeights },
  attrs,
  backend,
}: KernelCall<Inputs, Attributes>): tf.TensorInfo {
  const { activation, leakyreluAlpha } = attrs;
  const kernel = KERNELS[activation ?? ''];
  if (kernel === undefined && activation && activation !== 'linear') {
    throw new TypeError(
      `wasm has no activation '${activation}' for matMul. It has linear, ${Object.keys(KERNELS).join(', ')}.`,
    );
  }
  let result = matMul({ inputs: { a, b }, attrs, backend });
  const then = (name: string, inputs: tf.NamedTensorInfoMap, values?: tf.NamedAttrMap) => {
    const { dataId } = result;
    try {
      result = run(backend, name, inputs, values);
    } finally {
      backend.disposeData(dataId);
    }
  };
  if (bias) then('Add', { a: result, b: bias });
  if (kernel === 'Prelu' && preluActivationWeights) {
    then(kernel, { x: result, alpha: preluActivationWeights });
  } else if (kernel === 'LeakyRelu') {
    then(kernel, { x: result }, { alpha: leakyreluAlpha ?? 0 });
  } else if (kernel !== undefined) {
    then(kernel, { x: result });
  }
  return result;
}
