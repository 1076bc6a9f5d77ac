// Tells the compiled kernels the shape of what comes next.

import type * as tf from '@tensorflow/tfjs-core';

import type { WasmBackend } from '../../tfjs/wasm-backend.js';
import { kernelsOn } from './heap-kernels.js';

type Info =
  | ReturnType<typeof tf.backend_util.computeConv2DInfo>
  | ReturnType<typeof tf.backend_util.computeConv3DInfo>;

/** Of a convolution or a pooling; of three dimensions the last two. */
export function setGeometry(backend: WasmBackend, info: Info): void {
  kernelsOn(backend).compiled.geometry(
    info.inHeight,
    info.inWidth,
    info.inChannels,
    info.outHeight,
    info.outWidth,
    info.outChannels,
    info.filterHeight,
    info.filterWidth,
    info.strideHeight,
    info.strideWidth,
    info.dilationHeight,
    info.dilationWidth,
    info.padInfo.top,
    info.padInfo.left,
  );
}
