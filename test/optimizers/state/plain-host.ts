import * as tf from '@tensorflow/tfjs-core';

import type { OffloadedState, OffloadedTensor } from '#src/engine/offloaded-state.js';

/** Host memory in plain arrays. It fails as soon as `room` tensors are uploaded. */
export class Host implements OffloadedState {
  readonly isPending = false;
  room = Infinity;
  uploads = 0;
  held = 0;
  startDownloads(): void {}
  flush = () => Promise.resolve();
  dispose(): void {}

  hold(shape: readonly number[], dtype: 'float32' | 'int32'): OffloadedTensor {
    const size = tf.util.sizeFromShape([...shape]);
    const values = dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
    let uploaded: tf.Variable | null = null;
    this.held += 1;
    return {
      upload: (name) => {
        if (this.room === 0) throw new Error('no room');
        this.room -= 1;
        this.uploads += 1;
        uploaded = tf.tidy(() =>
          tf.variable(tf.tensor(values.slice(), [...shape], dtype), false, name),
        );
        return uploaded;
      },
      download: () => {
        if (!uploaded) return;
        values.set(uploaded.dataSync());
        uploaded.dispose();
        uploaded = null;
        this.room += 1;
      },
      read: () => values,
      write: (given) => values.set(given),
      firstNonFinite: async () => values.findIndex((value) => !Number.isFinite(value)),
      dispose: () => {
        this.held -= 1;
      },
    };
  }
}
