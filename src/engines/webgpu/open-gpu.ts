// Where WebGPU is: in the runtime (browsers, Deno, Electron), else in the npm package `webgpu` (Node, Bun).

import { SlowlaneError } from '../../checks/errors.js';
import { thisRuntime } from '../../checks/runtime.js';
import type { NodeGpu } from './node-gpu.js';

export interface OpenGpu {
  readonly gpu: GPU;
  /** The package, if that is where it is. */
  readonly node: NodeGpu | null;
  /** TensorFlow.js looks for `navigator.gpu`: makes it the GPU object of the adapter that was chosen. */
  readonly define: (gpu: GPU) => void;
}

/** Throws UNSUPPORTED in a browser without WebGPU; PACKAGE_MISSING if the package is needed and cannot be loaded. */
export async function openGpu(subAllocate = false): Promise<OpenGpu> {
  const { hasPackages } = thisRuntime();
  const own = runtimesGpu();
  // A runtime with packages may have a WebGPU that is turned off or finds no driver.
  if (own !== null && (!hasPackages || (await hasAdapter(own)))) {
    return { gpu: own, node: null, define: () => undefined };
  }
  if (!hasPackages) {
    throw new SlowlaneError(
      'UNSUPPORTED',
      `This browser has no WebGPU on this page (navigator.gpu). Use a current Chrome, Edge, Safari or ` +
        `Firefox, and a secure page (https or localhost).`,
    );
  }
  const { openNodeGpu, defineNavigatorGpu } = await import('./node-gpu.js');
  const node = await openNodeGpu(subAllocate);
  return { gpu: node.gpu, node, define: defineNavigatorGpu };
}

/**
 * The WebGPU of the runtime, or null. A runtime has it in the prototype of `navigator`; somebody's own property, as
 * `define` makes one, is not the runtime's.
 */
function runtimesGpu(): GPU | null {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  if (navigator === undefined) return null;
  if (thisRuntime().hasPackages && Object.hasOwn(navigator, 'gpu')) return null;
  return navigator.gpu ?? null;
}

async function hasAdapter(gpu: GPU): Promise<boolean> {
  for (const options of [{}, { forceFallbackAdapter: true }]) {
    try {
      if ((await gpu.requestAdapter(options)) !== null) return true;
    } catch {
      // as good as none
    }
  }
  return false;
}
