/**
 * Updates weights in place in the heap of tfjs's wasm backend: one pass over a weight, its state and its gradient, and
 * no temporaries.
 *
 * Writing in place means that every tensor sharing the data would change too. So an update of data that anything else
 * holds runs as tensor operations, once: the variable has data of its own then.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { updateWithTensors } from '../../../formula/tensor-algebra.js';
import type { Updater, WeightUpdate } from '../../../formula/weight-update.js';
import { heapOf, positionOf, type WasmBackend, wroteInPlace } from '../../../tfjs/wasm-backend.js';
import { updateModule } from './update-module.js';

type Run = (...positionsAndNumbers: readonly number[]) => void;

export function inPlaceUpdates(backend: WasmBackend): Updater {
  const memory = heapOf(backend);
  if (memory === undefined) return updateWithTensors;
  /** By formula and clipping. */
  const known = new WeakMap<WeightUpdate['formula'], Map<string, Run>>();
  const runOf = (update: WeightUpdate): Run => {
    const runs = known.get(update.formula) ?? new Map<string, Run>();
    known.set(update.formula, runs);
    const run = runs.get(update.clip.by) ?? compile(update, memory);
    runs.set(update.clip.by, run);
    return run;
  };
  return (update) => {
    if (!canRunInPlace(backend, update)) return updateWithTensors(update);
    const { gradient, takesGradient } = update;
    try {
      write(backend, update, runOf(update));
    } finally {
      if (takesGradient) gradient.dispose();
    }
  };
}

/** Floats of one size, and each variable's data is here and its own. */
function canRunInPlace(
  backend: WasmBackend,
  { weight, state, quantized, gradient }: WeightUpdate,
): boolean {
  const written = [weight, ...state.values()];
  return (
    quantized === null &&
    [gradient, ...written].every((one) => one.dtype === 'float32' && one.size === weight.size) &&
    written.every(({ dataId }) => backend.refCount(dataId) === 1)
  );
}

function write(backend: WasmBackend, update: WeightUpdate, run: Run): void {
  const { weight, state, gradient, clip, formula, scalars } = update;
  const tensors = [weight, gradient, ...state.values()];
  if (clip.by === 'scale') tensors.push(clip.scale);
  run(
    4 * weight.size,
    ...tensors.map((tensor) => positionOf(backend, tensor)),
    ...(clip.by === 'value' ? [clip.limit] : []),
    ...Object.values(scalars),
  );
  for (const target of new Set(formula.map((assignment) => assignment.target))) {
    wroteInPlace(backend, target === 'weight' ? weight : (state.get(target) as tf.Variable));
  }
}

function compile({ formula, state, scalars, clip }: WeightUpdate, memory: WebAssembly.Memory): Run {
  const isShared =
    typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
  const spec = { formula, state: [...state.keys()], scalars: Object.keys(scalars), clip: clip.by };
  const module = new WebAssembly.Module(updateModule(spec, { isShared }));
  return new WebAssembly.Instance(module, { env: { memory } }).exports['run'] as Run;
}
