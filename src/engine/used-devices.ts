// The devices that something has used, each of which may be lost with what is on it.

import * as tf from '@tensorflow/tfjs-core';

import type { SlowlaneError } from '../checks/errors.js';
import { engineOf } from './engine.js';

export class UsedDevices {
  readonly #losses = new Set<() => SlowlaneError | null>();

  /** The device of the current backend is used from now on. */
  note(): void {
    const lost = engineOf(tf.backend())?.lost;
    if (lost) this.#losses.add(lost);
  }

  /** All is on the device of the current backend now. */
  startOver(): void {
    this.#losses.clear();
    this.note();
  }

  /** @throws SlowlaneError DEVICE_LOST if one is gone. Call it before tfjs is asked for a backend: there may be none. */
  throwIfLost(): void {
    const { lost } = this;
    if (lost) throw lost;
  }

  /** The DEVICE_LOST of one that is gone; null while all are there. */
  get lost(): SlowlaneError | null {
    for (const lostOf of this.#losses) {
      const lost = lostOf();
      if (lost) return lost;
    }
    return null;
  }
}
