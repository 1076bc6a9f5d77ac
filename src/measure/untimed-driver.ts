// The driver's meter for a cell that takes times: asked until they begin and not while they are taken.

import { type DriverMeter, UNKNOWN } from './driver-meter.js';
import type { DriverBytes, Phase } from './peaks.js';

export class UntimedDriver {
  readonly #meter: DriverMeter | null;
  #stopped: Promise<DriverBytes> | null = null;

  /** Null: there is nobody to ask. */
  constructor(meter: DriverMeter | null) {
    this.#meter = meter;
  }

  process(pid: number): void {
    this.#meter?.process(pid);
  }

  /** By `awaited` all that a step takes was allocated once. */
  enter(phase: Phase): void {
    if (phase === 'awaited') void this.stop();
    else if (this.#stopped === null) this.#meter?.enter(phase);
  }

  /** What it said until `awaited`, or until now. */
  stop(): Promise<DriverBytes> {
    this.#stopped ??= this.#meter?.stop() ?? Promise.resolve(UNKNOWN);
    return this.#stopped;
  }
}
