// Reading from the device without waiting: tfjs can do it in a browser alone, through a canvas.

import { SlowlaneError } from '../../checks/errors.js';

/** Throws UNSUPPORTED where a tensor on the device cannot be read at once. */
export function checkCanReadSync(): void {
  if ('OffscreenCanvas' in globalThis) return;
  throw new SlowlaneError(
    'UNSUPPORTED',
    'WebGPU in Node cannot read a tensor synchronously, as dataSync(), arraySync() and print() do, or moving it to ' +
      'another backend. Use await tensor.data() or await tensor.array().',
  );
}
