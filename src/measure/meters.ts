// Two meters of device memory inside the process of a cell: tfjs's logical count, and every GPUBuffer.
// The third, the driver's, is read from outside (driver-meter.ts).

import type * as tf from '@tensorflow/tfjs-core';

import { listenToBuffers } from './buffers.js';
import type { Phase, PhasePeak, PhasePeaks } from './peaks.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Highest counts by phase. What `device` and `engine` do from now on is counted. */
export class Meters {
  readonly #peaks: Partial<Record<Phase, Writable<PhasePeak>>> = {};
  readonly #now = { logicalBytes: 0, deviceLocalBytes: 0, mappableBytes: 0, allBuffersBytes: 0 };
  readonly #onPhase: (phase: Phase) => void;
  #phase: Phase;
  #readLogical = (): number => 0;

  constructor(phase: Phase, onPhase: (phase: Phase) => void = () => undefined) {
    this.#phase = phase;
    this.#onPhase = onPhase;
    this.enter(phase);
  }

  get peaks(): PhasePeaks {
    return structuredClone(this.#peaks);
  }

  get bufferBytes(): number {
    return this.#now.allBuffersBytes;
  }

  enter(phase: Phase): void {
    this.#phase = phase;
    this.#note();
    this.#onPhase(phase);
  }

  watchBuffers(device: GPUDevice): void {
    listenToBuffers(device, {
      onChange: (bytes, isMappable) => this.#add(bytes, isMappable),
    });
  }

  /** `tf.memory().numBytes` after each new tensor: where it can be highest. */
  watchTensors(engine: ReturnType<typeof tf.engine>): void {
    this.#readLogical = () => engine.state.numBytes;
    const track = engine.trackTensor.bind(engine);
    engine.trackTensor = (tensor, backend) => {
      track(tensor, backend);
      this.#note();
    };
  }

  #add(bytes: number, isMappable: boolean): void {
    this.#now[isMappable ? 'mappableBytes' : 'deviceLocalBytes'] += bytes;
    this.#now.allBuffersBytes += bytes;
    this.#note();
  }

  #note(): void {
    this.#now.logicalBytes = this.#readLogical();
    const peak = this.#peaks[this.#phase];
    if (peak === undefined) {
      this.#peaks[this.#phase] = { ...this.#now };
      return;
    }
    const { logicalBytes, deviceLocalBytes, mappableBytes, allBuffersBytes } = this.#now;
    peak.logicalBytes = Math.max(peak.logicalBytes, logicalBytes);
    peak.deviceLocalBytes = Math.max(peak.deviceLocalBytes, deviceLocalBytes);
    peak.mappableBytes = Math.max(peak.mappableBytes, mappableBytes);
    peak.allBuffersBytes = Math.max(peak.allBuffersBytes, allBuffersBytes);
  }
}
