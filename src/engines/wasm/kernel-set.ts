// Our kernels in place of tfjs's own, and tfjs's back.

import * as tf from '@tensorflow/tfjs-core';

import { positionOf, type WasmBackend } from '../../tfjs/wasm-backend.js';
import {
  convFilterGradient,
  convInputGradient,
  depthwiseFilterGradient,
  depthwiseInputGradient,
} from './kernels/conv.js';
import { conv3dFilterGradient, conv3dInputGradient } from './kernels/conv-3d.js';
import { einsum } from './kernels/einsum.js';
import { clipByValue, sign } from './kernels/elementwise.js';
import { fusedMatMul } from './kernels/fused-mat-mul.js';
import { identity } from './kernels/identity.js';
import { matMul } from './kernels/mat-mul.js';
import { maxPool3d, maxPool3dGradient, maxPoolGradient } from './kernels/max-pool.js';
import { refused } from './kernels/refused.js';
import { segmentSum } from './kernels/segment-sum.js';

/** By the names of TensorFlow.js. */
const KERNELS = {
  // Slow in its wasm backend:
  BatchMatMul: matMul,
  _FusedMatMul: fusedMatMul,
  Conv2DBackpropInput: convInputGradient,
  Identity: identity, // copies
  // Wrong in it:
  ClipByValue: clipByValue,
  Conv3DBackpropFilterV2: conv3dFilterGradient,
  Conv3DBackpropInputV2: conv3dInputGradient,
  Dilation2D: refused('dilation2d'),
  Dilation2DBackpropFilter: refused('the gradient of dilation2d'),
  Dilation2DBackpropInput: refused('the gradient of dilation2d'),
  MaxPool3D: maxPool3d,
  MaxPool3DGrad: maxPool3dGradient,
  MaxPoolGrad: maxPoolGradient,
  MaxPoolWithArgmax: refused('maxPoolWithArgmax'),
  Sign: sign,
  // Missing in it:
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
      kernelFunc: onHeap(kernel as unknown as tf.KernelFunc),
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

/** Inputs that are on another backend come first: the heap may grow for them, and views of it are invalid then. */
function onHeap(kernel: tf.KernelFunc): tf.KernelFunc {
  return (call) => {
    const tensors = Object.values(call.inputs) as (tf.TensorInfo | null | undefined)[];
    for (const tensor of tensors) if (tensor) positionOf(call.backend as WasmBackend, tensor);
    return kernel(call);
  };
}
