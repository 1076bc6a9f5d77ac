/**
 * Fast weights on tfjs-node and tfjs-node-gpu: libtensorflow's memory, read and written through its addon.
 *
 * The old value is freed before there is a new one, so a push takes no more device memory than there was; a pull of a
 * part takes that part. Memory is replaced, never written in place: views of it are other tensors over the same memory.
 */
import type { Device, HalfTransfers } from '../../engine/device.js';
import { sliceOf } from '../portable/devices.js';
import { type Replace, WholeWriter } from '../portable/whole-writer.js';
import { ownDataOf, type TensorFlowBackend } from '../../tfjs/tensorflow-backend.js';
import { Ops } from './ops.js';

/** With `halves`, slow weights of fp16 cross the bus as halves. */
export function tensorflowDevice(backend: TensorFlowBackend, halves: HalfTransfers | null): Device {
  const ops = new Ops(backend);

  /** Gives `variable` memory of TensorFlow's own: what it reads in place, it could not write in place. */
  const replace: Replace = (variable, values) => {
    const data = ownDataOf(backend, variable);
    ops.free(data.id);
    data.id = -1;
    try {
      const { binding } = backend;
      const given = binding.createTensor(variable.shape, binding.TF_FLOAT, values);
      if (backend.isUsingGpuDevice) data.id = given;
      else {
        try {
          data.id = ops.copy(given);
        } finally {
          ops.free(given);
        }
      }
    } catch (error) {
      data.values = values.slice(); // they wait on the host for the next op
      throw error;
    }
  };

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

    write: () => {
      const assembling = new WholeWriter(replace);
      return {
        push(variable, start, from) {
          if (from.length === variable.size) replace(variable, from);
          else assembling.push(variable, start, from);
        },
      };
    },

    ...(halves && { halves }),
  };
}
