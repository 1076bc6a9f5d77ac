/**
 * Fast weights on tfjs-node and tfjs-node-gpu: libtensorflow's memory, read and written through its addon.
 *
 * A new value waits on the host until the old one is freed, so a push takes no more device memory than there was; a
 * pull of a part takes that part. Data is replaced, never written in place: views of it are other tensors over the
 * same memory.
 */
import type { Device, HalfTransfers } from '../../engine/device.js';
import { sliceOf } from '../portable/devices.js';
import { WholeWriter } from '../portable/whole-writer.js';
import type { TensorFlowBackend } from '../../tfjs/tensorflow-backend.js';

/** With `halves`, slow weights of fp16 cross the bus as halves. */
export function tensorflowDevice(backend: TensorFlowBackend, halves: HalfTransfers | null): Device {
  return {
    pull(tensor, start, into) {
      const { values } = backend.tensorMap.get(tensor.dataId);
      if (values !== null) {
        into.set(values.subarray(start, start + into.length));
        return;
      }
      // A read copies a whole tensor, so a part becomes a tensor first.
      const isWhole = into.length === tensor.size;
      const part = isWhole ? tensor : sliceOf(tensor, start, into.length);
      try {
        into.set(backend.readSync(part.dataId));
      } finally {
        if (!isWhole) part.dispose();
      }
    },

    pullsAtOnce: true,

    // At once, or the host would hold a second copy of every weight.
    write: () => new WholeWriter((variable) => void backend.getInputTensorIds([variable])),

    ...(halves && { halves }),
  };
}
