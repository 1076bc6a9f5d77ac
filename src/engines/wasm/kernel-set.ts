// Our kernels in place of tfjs's own, and tfjs's back.

import * as tf from '@tensorflow/tfjs-core';

import {
  convFilterGradient,
  convInputGradient,
  depthwiseFilterGradient,
  depthwiseInputGradient,
} from './kernels/conv.js';
import { einsum } from './kernels/einsum.js';
import { fusedMatMul } from './kernels/fused-mat-mul.js';
import { matMul } from './kernels/mat-mul.js';
import { segmentSum } from './kernels/segment-sum.js';

/** By the names of TensorFlow.js. Its wasm backend has the first three, slowly, and lacks the others. */
const KERNELS = {
  BatchMatMul: matMul,
  _FusedMatMul: fusedMatMul,
  Conv2DBackpropInput: convInputGradient,
  Conv2DBackpropFilter: convFilterGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient,
  Einsum: einsum,
  UnsortedSegmentSum: segmentSum,
};

/** Registers our kernels for the backend `wasm`. Returns a function that puts back what was there. */
export function registerKernels(): () => void {
  const before = Object.entries(KERNELS).map(([kernelName, kernel]) => {
    const own = tf.getKernel(kernelName, 'wasm') as tf.KernelConfig | undefined;
    if (own !== undefined) tf.unregisterKernel(kernelName, 'wasm');
    tf.registerKernel({
      ...own, // its setup too: a backend that is made anew needs it, should our kernel go before it
      kernelName,
      backendName: 'wasm',
      kernelFunc: kernel as unknown as tf.KernelFunc,
    });
    return { kernelName, own };
  });
  return () => {
    for (const { kernelName, own } of before) {
      tf.unregisterKernel(kernelName, 'wasm');
      if (own !== undefined) tf.registerKernel(own);
    }
  };
}
