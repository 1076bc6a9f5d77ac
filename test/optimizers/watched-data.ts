import * as tf from '@tensorflow/tfjs-core';

/** Bytes of data made since, at most at a time, less what was freed. A clone has no data of its own. */
export function watchData(): { readonly stop: () => void; readonly peak: () => number } {
  const backend = tf.backend();
  const bytes = new WeakMap<object, number>();
  for (const variable of Object.values(tf.engine().registeredVariables)) {
    bytes.set(variable.dataId, variable.size * 4);
  }
  let [now, peak] = [0, 0];
  const [write, disposeData] = [backend.write.bind(backend), backend.disposeData.bind(backend)];
  backend.write = (values, shape, dtype) => {
    const id = write(values, shape, dtype);
    bytes.set(id, tf.util.sizeFromShape(shape) * 4);
    peak = Math.max(peak, (now += bytes.get(id) ?? 0));
    return id;
  };
  backend.disposeData = (id, force) => {
    const isFreed = disposeData(id, force);
    if (isFreed) now -= bytes.get(id) ?? 0;
    return isFreed;
  };
  const stop = () => {
    Reflect.deleteProperty(backend, 'write');
    Reflect.deleteProperty(backend, 'disposeData');
  };
  return { stop, peak: () => peak };
}

/** The same while `f` runs. */
export function peakBytesOf(f: () => void): number {
  const watch = watchData();
  try {
    f();
    return watch.peak();
  } finally {
    watch.stop();
  }
}
