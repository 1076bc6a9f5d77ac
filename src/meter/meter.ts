// `meter()`: records what the memory of the device is for, step by step.
//
// A function and no method of optimizers: memory is the backend's, whoever optimizes, and a run may have
// several optimizers. A backend that owns its allocator registers a meter of its own; of any other,
// TensorFlow.js's count of tensors is taken when a step begins.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { checkFunction, checkKeys } from '../checks/check.js';
import type { Breakdown } from '../engine/categories.js';
import { engineOf } from '../engine/engine.js';
import type { MeterSource, MeterSourceKind } from '../engine/meter-source.js';
import type { TimelineData } from './timeline-data.js';
import { type MeterEvent, Timeline } from './timeline.js';
import { TensorCount } from './tensor-count.js';

export interface MeterOptions {
  /**
   * Called at every event, at once: it must not allocate on the device. If it throws, it is called no more, and
   * `timeline()` throws that.
   */
  readonly onEvent?: (event: MeterEvent) => void;
}

export interface Meter {
  readonly source: MeterSourceKind;
  /** Bytes held now, by category. */
  readonly bytes: Breakdown;
  /**
   * Call it before each step. Without it, a step is whatever TensorFlow.js records for a gradient, and on
   * backends whose allocator is not ours nothing is recorded at all.
   */
  beginStep(step?: number): void;
  timeline(): TimelineData;
  /** Records nothing more; what was recorded stays. Idempotent. */
  stop(): void;
}

const running = new WeakMap<tf.KernelBackend, MeterSource>();

/**
 * Records every allocation and release on the current backend from now on, by category, step and phase.
 * One at a time: throws WRONG_STATE while another meter of this backend runs.
 *
 * @example
 * const metered = meter();
 * for (let step = 1; step <= 10; step++) {
 *   metered.beginStep(step);
 *   await optimizer.step(loss);
 * }
 * console.log(metered.timeline().steps.peak);
 */
export function meter(options?: MeterOptions): Meter {
  const { onEvent } = checkKeys('meter()', options, ['onEvent']) as MeterOptions;
  if (onEvent !== undefined) checkFunction('onEvent', onEvent);
  const backend = tf.backend();
  if (running.has(backend)) {
    throw new SlowlaneError(
      'WRONG_STATE',
      'A meter runs on this backend already. Call its stop() first, or use that one.',
    );
  }
  const timeline = new Timeline(onEvent);
  const source = engineOf(backend)?.meter?.(timeline) ?? new TensorCount(timeline);
  running.set(backend, source);
  return {
    source: source.kind,
    get bytes() {
      return timeline.bytes;
    },
    beginStep(step) {
      if (running.get(backend) === source) source.beginStep(step);
    },
    timeline: () => timeline.data(source),
    stop() {
      if (running.get(backend) !== source) return;
      running.delete(backend);
      source.stop();
    },
  };
}

/** Runs a sync, which a meter counts as one. */
export async function duringSync(sync: () => Promise<void>): Promise<void> {
  const source = running.get(tf.backend());
  if (source === undefined) return sync();
  source.syncing(true);
  try {
    await sync();
  } finally {
    source.syncing(false);
  }
}
