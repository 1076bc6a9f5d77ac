// `meter()`: records what the memory of the device is for, step by step.
//
// A function and no method of optimizers: memory is the backend's, whoever optimizes, and a run may have
// several optimizers. A backend that owns its allocator registers a meter of its own; of any other,
// TensorFlow.js's count of tensors is taken when a step begins.

import * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../checks/errors.js';
import { checkFunction, checkKeys } from '../checks/check.js';
import type { Breakdown } from '../engine/categories.js';
import type { MeterSource, TimelineData } from './timeline-data.js';
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
  readonly source: MeterSource;
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

/** Takes part in the backend's work until it is stopped. */
export interface Gauge {
  readonly source: MeterSource;
  /** Infinity for none. */
  readonly budgetBytes: number;
  /** `step` of the caller's; undefined: the next one. */
  beginStep(step: number | undefined): void;
  /** A sync begins (true) or ends. */
  syncing(isSyncing: boolean): void;
  stop(): void;
}

type MakeGauge = (timeline: Timeline) => Gauge;

const registered = new WeakMap<tf.KernelBackend, MakeGauge>();
const running = new WeakMap<tf.KernelBackend, Gauge>();

/** `meter()` asks `make` while `backend` is the current one. */
export function registerGauge(backend: tf.KernelBackend, make: MakeGauge): void {
  registered.set(backend, make);
}

/**
 * Records every allocation and release on the current backend from now on, by category, step and phase.
 * One at a time: throws ENGINE while another meter of this backend runs.
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
      'ENGINE',
      'A meter runs on this backend already. Call its stop() first, or use that one.',
    );
  }
  const timeline = new Timeline(onEvent);
  const make = registered.get(backend);
  const gauge = make === undefined ? new TensorCount(timeline) : make(timeline);
  running.set(backend, gauge);
  return {
    source: gauge.source,
    get bytes() {
      return timeline.bytes;
    },
    beginStep(step) {
      if (running.get(backend) === gauge) gauge.beginStep(step);
    },
    timeline: () => timeline.data(gauge.source, gauge.budgetBytes),
    stop() {
      if (running.get(backend) !== gauge) return;
      running.delete(backend);
      gauge.stop();
    },
  };
}

/** Runs a sync, which a meter counts as one. */
export async function duringSync(sync: () => Promise<void>): Promise<void> {
  const gauge = running.get(tf.backend());
  if (gauge === undefined) return sync();
  gauge.syncing(true);
  try {
    await sync();
  } finally {
    gauge.syncing(false);
  }
}
