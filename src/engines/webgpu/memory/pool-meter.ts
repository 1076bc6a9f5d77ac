// Reports every buffer that is made, destroyed, given to the pool or taken from it.
//
// The pool knows the category a buffer was allocated under. A variable's new value keeps that category until the phase
// ends or the old values of variables are freed; then it is sorted as `breakDown` does. The sum is exact at every event,
// the parts equal `memory().by` where a phase begins.

import type * as tf from '@tensorflow/tfjs-core';

import type { Category, Phase, Place } from '../../../engine/categories.js';
import type { MeterSink, MeterSource } from '../../../engine/meter-source.js';
import { activityNow } from '../../../tfjs/engine-state.js';
import type { BudgetedBackend } from '../budgeted-backend.js';
import { categoriesOfVariables } from './breakdown.js';
import { NO_WATCHER, type PoolWatcher } from './buffer-pool.js';

/** Elements: smaller variables are not looked for at each event. */
const WORTH_WAITING_FOR = 1024;

export class PoolMeter implements MeterSource, PoolWatcher {
  readonly kind = 'allocator';
  readonly #backend: BudgetedBackend;
  readonly #sink: MeterSink;
  /** Buffers that count as something else than the pool says. */
  #variables = new Map<GPUBuffer, Category>();
  /** Variables whose values wait on the host for their first use on the device. */
  #waiting: tf.Variable[] = [];
  #mayHaveArrived = false;
  /** Buffers that were variables': these have new ones. */
  #haveLeft = false;
  #otherBytes = 0;
  #phase: Phase = 'other';
  #syncs = 0;
  #isAfterBackward = false;
  #isCounted = false;

  constructor(backend: BudgetedBackend, sink: MeterSink) {
    this.#backend = backend;
    this.#sink = sink;
    sink.beginStep(0, 'other');
    const { used, allocatedBytes } = backend.holdings();
    let pooled = allocatedBytes;
    for (const [buffer, category] of used) {
      sink.move(buffer.size, 'free', category, 'other');
      pooled -= buffer.size;
    }
    sink.move(pooled, 'free', 'pool', 'other');
    this.#sort();
    backend.pool.watcher = this;
  }

  get budgetBytes(): number {
    return this.#backend.budgetBytes;
  }

  beginStep(step = this.#sink.step + 1): void {
    this.#isCounted = true;
    this.#sort();
    this.#sink.beginStep(step, this.#phase);
  }

  syncing(isSyncing: boolean): void {
    this.before(false); // sorts what was allocated before the sync
    this.#syncs += isSyncing ? 1 : -1;
    this.before(false);
  }

  stop(): void {
    this.#sort();
    this.#backend.pool.watcher = NO_WATCHER;
  }

  before(takes: boolean): void {
    const phase = this.#phaseNow();
    if (phase === this.#phase) {
      if (this.#haveLeft && takes) this.#sort();
      if (this.#mayHaveArrived && this.#waiting.length > 0) this.#sortArrived();
      return;
    }
    this.#sort();
    this.#phase = phase;
    if (phase !== 'forward' || this.#isCounted) return;
    this.#sink.beginStep(this.#sink.step + 1, phase);
  }

  moved(buffer: GPUBuffer, from: Place, to: Place): void {
    if (buffer.size >= 4 * WORTH_WAITING_FOR) this.#mayHaveArrived = true;
    const known = this.#variables.get(buffer);
    if (known === undefined) {
      this.#sink.move(buffer.size, from, to, this.#phase);
      return;
    }
    // Another label for the buffer of a variable changes nothing before it is sorted again.
    if (to !== 'pool' && to !== 'free') return;
    this.#variables.delete(buffer);
    this.#haveLeft = true;
    this.#sink.move(buffer.size, known, to, this.#phase);
  }

  #phaseNow(): Phase {
    if (this.#syncs > 0) return 'sync';
    const activity = activityNow();
    if (activity === 'forward') this.#isAfterBackward = false;
    else if (activity === 'backward' && !this.#isAfterBackward) {
      this.#isAfterBackward = true;
      // A step of an optimizer is one turn.
      queueMicrotask(() => {
        this.#isAfterBackward = false;
      });
    }
    return activity === 'other' && this.#isAfterBackward ? 'update' : activity;
  }

  /** Counts the buffers of variables as what they are for, and textures. */
  #sort(): void {
    this.#haveLeft = false;
    const holdings = this.#backend.holdings();
    const before = this.#variables;
    this.#variables = new Map();
    for (const [buffer, category] of categoriesOfVariables(holdings)) {
      const listed = holdings.used.get(buffer);
      if (listed === undefined) continue; // not of the pool: the caller's own
      this.#sink.move(buffer.size, before.get(buffer) ?? listed, category, this.#phase);
      before.delete(buffer);
      this.#variables.set(buffer, category);
    }
    // Buffers that no variable uses any more.
    for (const [buffer, category] of before) {
      const listed = holdings.used.get(buffer);
      if (listed !== undefined) this.#sink.move(buffer.size, category, listed, this.#phase);
    }
    this.#waiting = holdings.variables.filter(
      ({ isDisposed, dataId, size }) =>
        !isDisposed && size >= WORTH_WAITING_FOR && holdings.bufferOf(dataId) === undefined,
    );
    const change = holdings.otherBytes - this.#otherBytes;
    this.#otherBytes = holdings.otherBytes;
    if (change > 0) this.#sink.move(change, 'free', 'activations', this.#phase);
    else this.#sink.move(-change, 'activations', 'free', this.#phase);
  }

  /** At the event after its upload a variable's buffer counts as what it is for. */
  #sortArrived(): void {
    this.#mayHaveArrived = false;
    const holdings = this.#backend.holdings();
    const arrived = this.#waiting.filter(
      ({ isDisposed, dataId }) => !isDisposed && holdings.bufferOf(dataId) !== undefined,
    );
    if (arrived.length > 0) this.#sort();
  }
}
