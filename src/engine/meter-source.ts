// Where a meter's numbers come from: the contract between whoever counts device memory and whoever records it.

import type { Breakdown, Phase, Place } from './categories.js';

/** Takes part in the backend's work until it is stopped. */
export interface MeterSource {
  readonly kind: MeterSourceKind;
  /** Infinity for no limit. */
  readonly budgetBytes: number;
  /** `step` is the caller's number; undefined: the next one. */
  beginStep(step: number | undefined): void;
  /** A sync begins (true) or ends. */
  syncing(isSyncing: boolean): void;
  stop(): void;
}

/**
 * What a meter counts: `allocator`, every buffer of the device at each event; or `tensors`, what TensorFlow.js reports when
 * each step begins.
 */
export type MeterSourceKind = 'allocator' | 'tensors';

/** Records what a source reports. */
export interface MeterSink {
  /** The step that began last. */
  readonly step: number;
  /** Bytes that are held now. */
  readonly bytes: Breakdown;
  beginStep(step: number, phase: Phase): void;
  move(bytes: number, from: Place, to: Place, phase: Phase): void;
}
