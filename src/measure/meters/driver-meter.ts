// The third meter: what the driver says, by nvidia-smi, read every 100 ms from outside of the process that
// is measured. Without nvidia-smi everything is unknown.
//
// Read anew each time instead of left running: its output would be buffered, and its times with it.

import { setTimeout as wait } from 'node:timers/promises';

import { bytesOf, processBytes, queryNvidia } from '../../engines/tensorflow/nvidia.js';
import type { DriverBytes, Phase } from '../record-parts.js';

const SAMPLE_EVERY_MS = 100;
/** How long the memory of a process that ended may take to be free. */
const SETTLE_MS = 500;

export const UNKNOWN: DriverBytes = {
  source: 'unknown',
  baselineBytes: null,
  peakBytes: null,
  byPhase: {},
  samples: 0,
};

export interface DriverMeter {
  /** From now on samples count for this process and phase. */
  process(pid: number): void;
  enter(phase: Phase): void;
  /** Ends the sampling. */
  stop(): Promise<DriverBytes>;
}

/** Reports unknown. */
export const NO_DRIVER: DriverMeter = {
  process() {},
  enter() {},
  stop: async () => UNKNOWN,
};

/**
 * Takes the baseline, and then samples until it is stopped or the process enters `until`: a question to the driver
 * would be in the times that are taken there. Without nvidia-smi it reports unknown.
 */
export async function startDriverMeter(until: Phase | null = null): Promise<DriverMeter> {
  if ((await gpuBytes()) === null) return NO_DRIVER;
  await wait(SETTLE_MS);
  const baseline = (await gpuBytes()) ?? [];
  return new Sampling(baseline, until);
}

type ByPhase = Partial<Record<Phase, number>>;

class Sampling implements DriverMeter {
  readonly #baseline: readonly number[];
  readonly #until: Phase | null;
  readonly #ofProcess: ByPhase = {};
  readonly #riseOfGpu: ByPhase = {};
  /** The GPU that rose the most, of several. */
  #gpu = 0;
  #highestRise = -Infinity;
  #pid: number | null = null;
  #phase: Phase = 'set-up';
  #samples = 0;
  #isStopped = false;
  readonly #done: Promise<void>;

  constructor(baseline: readonly number[], until: Phase | null) {
    this.#baseline = baseline;
    this.#until = until;
    this.#done = this.#sample();
  }

  process(pid: number): void {
    this.#pid = pid;
  }

  enter(phase: Phase): void {
    if (phase === this.#until) this.#isStopped = true;
    else this.#phase = phase;
  }

  async stop(): Promise<DriverBytes> {
    this.#isStopped = true;
    await this.#done;
    const hasProcess = Object.keys(this.#ofProcess).length > 0;
    const byPhase = hasProcess ? this.#ofProcess : this.#riseOfGpu;
    const peaks = Object.values(byPhase);
    return {
      source: peaks.length === 0 ? 'unknown' : hasProcess ? 'process' : 'gpu',
      baselineBytes: this.#baseline[this.#gpu] ?? null,
      peakBytes: peaks.length === 0 ? null : Math.max(...peaks),
      byPhase,
      samples: this.#samples,
    };
  }

  async #sample(): Promise<void> {
    while (!this.#isStopped) {
      const start = performance.now();
      const phase = this.#phase; // a sample that ends in the next phase may still be of this one
      const [gpus, processes] = await Promise.all([gpuBytes(), processBytes()]);
      if (gpus !== null) this.#noteGpus(phase, gpus);
      const own = this.#pid === null ? undefined : processes?.get(this.#pid);
      if (own !== undefined) raise(this.#ofProcess, phase, own);
      this.#samples += 1;
      await wait(Math.max(0, SAMPLE_EVERY_MS - (performance.now() - start)));
    }
  }

  #noteGpus(phase: Phase, gpus: readonly number[]): void {
    const rises = gpus.map((bytes, gpu) => bytes - (this.#baseline[gpu] ?? 0));
    const rise = Math.max(...rises);
    raise(this.#riseOfGpu, phase, rise);
    if (rise <= this.#highestRise) return;
    this.#highestRise = rise;
    this.#gpu = rises.indexOf(rise);
  }
}

function raise(byPhase: ByPhase, phase: Phase, bytes: number): void {
  byPhase[phase] = Math.max(byPhase[phase] ?? 0, bytes);
}

/** Used memory of each GPU. */
async function gpuBytes(): Promise<number[] | null> {
  const rows = await queryNvidia('--query-gpu=memory.used');
  const bytes = rows?.map(([mib]) => bytesOf(mib)).filter((value) => value !== null);
  return bytes === undefined || bytes.length === 0 ? null : bytes;
}
