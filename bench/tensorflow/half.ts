// A tensor as halves on the host: cast by TensorFlow, and read two at a time as the bits of a float, since the addon
// reads no halves. Not used by the engine; bench/results says what it would give.

import type * as tf from '@tensorflow/tfjs-core';

import type { TensorFlowBackend } from '../../src/device/tensorflow/backend.js';

/** TensorFlow's number for half precision. */
const TF_HALF = 19;
const TF_INT32 = 3;

export function toHalf(backend: TensorFlowBackend, tensor: tf.Tensor): Uint16Array {
  const { binding } = backend;
  const { TF_FLOAT, TF_ATTR_TYPE: type, TF_ATTR_BOOL } = binding;
  const made: number[] = [];
  const op = (...given: Parameters<typeof binding.executeOp>): number => {
    const [output] = binding.executeOp(...given);
    if (output === undefined) throw new Error(`${given[0]} gave nothing.`);
    made.push(output.id);
    return output.id;
  };
  try {
    const shape = binding.createTensor(
      [2],
      TF_INT32,
      Int32Array.of(tensor.size / 2, 2) as never, // the addon takes whole numbers too
    );
    made.push(shape);
    const half = op(
      'Cast',
      [
        { name: 'SrcT', type, value: TF_FLOAT },
        { name: 'DstT', type, value: TF_HALF },
        { name: 'Truncate', type: TF_ATTR_BOOL, value: false },
      ],
      backend.getInputTensorIds([tensor]),
      1,
    );
    const pairs = op(
      'Reshape',
      [
        { name: 'T', type, value: TF_HALF },
        { name: 'Tshape', type, value: TF_INT32 },
      ],
      [half, shape],
      1,
    );
    const bits = op(
      'Bitcast',
      [
        { name: 'T', type, value: TF_HALF },
        { name: 'type', type, value: TF_FLOAT },
      ],
      [pairs],
      1,
    );
    const { buffer } = binding.tensorDataSync(bits);
    return new Uint16Array(buffer);
  } finally {
    for (const id of made) binding.deleteTensor(id);
  }
}
