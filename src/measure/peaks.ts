// Highest counts of memory, by what a cell was doing. The meters are kept apart and never mixed.

/** What a cell is doing; uploading the first weights is not training. */
export type Phase = 'set-up' | 'warm-up' | 'awaited' | 'unsynchronised' | 'training';

/** Highest counts of one phase, of two meters. */
export interface PhasePeak {
  /** tfjs's own count (tf.memory): every tensor that lives, a clone counted again. */
  readonly logicalBytes: number;
  /** Buffers made and not destroyed, counted at the device. */
  readonly deviceLocalBytes: number;
  /** The same for those with MAP_READ or MAP_WRITE: host memory on a discrete GPU. */
  readonly mappableBytes: number;
  /** Both together at one moment: not the sum of the two highest. */
  readonly allBuffersBytes: number;
}

export type PhasePeaks = Readonly<Partial<Record<Phase, PhasePeak>>>;

/** The driver's count of a cell, sampled by the parent. */
export interface DriverBytes {
  /** `process`: of the cell's process; `gpu`: rise of the GPU's used memory above what it was before. */
  readonly source: 'process' | 'gpu' | 'unknown';
  readonly baselineBytes: number | null;
  readonly peakBytes: number | null;
  readonly byPhase: Readonly<Partial<Record<Phase, number>>>;
  readonly samples: number;
}

/** Peak over all phases. */
export function peakOf(peaks: PhasePeaks, of: keyof PhasePeak): number {
  return Math.max(0, ...Object.values(peaks).map((peak) => peak[of]));
}
