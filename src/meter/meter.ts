// `meter()`: records what the memory of the device is for, step by step.
//
// It is a function, not a method of optimizers: memory belongs to the backend, and a run may have several optimizers.
// An engine that owns its allocator reports to the meter; on other backends TensorFlow.js's count of tensors is read
// when a step begins.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { checkFunction, checkKeys } from '../checks/check.js';
import type { Breakdown } from '../engine/categories.js';
import { engineOf } from '../engine/engine.js';
import type { MeterSource, MeterSourceKind } from '../engine/meter-source.js';
import type { TimelineData } from './timeline-data.js';
import { type MeterEvent, Timeline } from './timeline.js';
import { TensorCount } from './tensor-meter.js';

/** Options of `meter()`. */
export interface MeterOptions {
  /**
   * Called at each event, at once. It must not allocate on the device. If it throws, it is not called again, and
   * `timeline()` throws its error.
   */
  readonly onEvent?: (event: MeterEvent) => void;
}

/** A running meter. */
export interface Meter {
  /**
   * What is counted: `allocator`, every buffer of the device; or `tensors`, what TensorFlow.js counts when each step begins.
   */
  readonly source: MeterSourceKind;
  /** Bytes held now, by category. */
  readonly bytes: Breakdown;
  /**
   * Call it before each step, with the number of the step (default: the next one). Without it a step is what
   * TensorFlow.js records for a gradient, and backends whose allocator is not ours record nothing.
   */
  beginStep(step?: number): void;
  /**
   * Everything recorded so far, as plain data.
   *
   * @throws the error of an `onEvent` that threw.
   */
  timeline(): TimelineData;
  /** Stops recording; the timeline stays. Idempotent. */
  stop(): void;
}

const running = new WeakMap<tf.KernelBackend, MeterSource>();

/**
 * Records every allocation and release on the current backend until its `stop()`, by category, step and phase.
 *
 * @throws TypeError on a wrong option.
 * @throws SlowlaneError WRONG_STATE if a meter runs on this backend already.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adam, meter } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.ones([4])));
 * const metered = meter();
 * for (let step = 1; step <= 3; step++) {
 *   metered.beginStep(step);
 *   adam().minimize(() => tf.sum(tf.square(w)), false, [w]);
 * }
 * console.log(metered.bytes.weights, metered.timeline().peak);
 * metered.stop();
 * ```
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
