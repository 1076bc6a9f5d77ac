// Fast weights in the heap of the wasm backend, looked at by our kernels.

import type { Device } from '../../engine/device.js';
import { positionOf, type WasmBackend } from '../../tfjs/wasm-backend.js';
import { wasmDevice } from '../portable/devices.js';
import { kernelsOn } from './heap-kernels.js';

export function heapDevice(backend: WasmBackend): Device {
  return {
    ...wasmDevice(backend),
    isWithin: (tensor, largest) =>
      kernelsOn(backend).compiled.allWithin(positionOf(backend, tensor), tensor.size, largest) !==
      0,
  };
}
