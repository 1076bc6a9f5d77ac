// What a cell took of memory at most, by the meters inside its process.

import { OurDevice, type TensorDevice } from './devices.js';
import { hostMemory } from './host-memory.js';
import type { Meters } from './meters.js';
import { peakOf } from './peaks.js';

export interface PeakBytes {
  /** Highest count of tfjs (tf.memory): every tensor that lives, blind to pools and staging. */
  readonly logicalBytes: number;
  /** Highest sum of all buffers on the device, free ones and those for transfers too. */
  readonly allocatorBytes: number;
  /** Slow weights, and moments if they wait there, in host memory that the device can reach. */
  readonly hostBytes: number;
  /** Highest resident memory of the whole process: Node, TensorFlow.js and the driver too. */
  readonly peakRssBytes: number;
}

export function peakBytesOf(device: TensorDevice, meters: Meters): PeakBytes {
  // The engine counts what it keeps in host memory apart.
  const ours = device instanceof OurDevice ? device.engine.memory() : null;
  return {
    logicalBytes: peakOf(meters.peaks, 'logicalBytes'),
    allocatorBytes: ours?.peakBytes ?? peakOf(meters.peaks, 'allBuffersBytes'),
    hostBytes: ours?.hostBytes ?? 0,
    peakRssBytes: hostMemory().peakRssBytes,
  };
}
