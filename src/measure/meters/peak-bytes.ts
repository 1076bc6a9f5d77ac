// What a cell took of memory at most, by the meters inside its process.

import type { LookaheadStats } from '../../index.js';
import { BareDevice, OurDevice, type TrainingDevice } from '../devices/devices.js';
import type { Meters } from './meters.js';
import type { PeakBytes } from '../record-parts.js';

const KIB = 1024;

/** `stats`: of slowlane's Lookahead, if it trained with one. */
export function peakBytesOf(
  device: TrainingDevice,
  meters: Meters,
  stats: LookaheadStats | null,
): PeakBytes {
  // The engine counts what it keeps in host memory apart.
  const ours = device instanceof OurDevice ? device.engine.memory() : null;
  const bufferBytes = device instanceof BareDevice ? meters.peakBufferBytes : null;
  const slow = stats?.host ?? { slowBytes: 0, stagingBytes: 0 };
  return {
    logicalBytes: meters.peakLogicalBytes,
    allocatorBytes: ours?.peakBytes ?? bufferBytes,
    hostBytes: ours?.hostBytes ?? slow.slowBytes + slow.stagingBytes,
    peakRssBytes: KIB * process.resourceUsage().maxRSS,
  };
}

/** By each meter that counted. */
export function perParameter({
  allocatorBytes,
  logicalBytes,
  parameters,
}: Pick<PeakBytes, 'allocatorBytes' | 'logicalBytes'> & { readonly parameters: number }) {
  return {
    allocatorBytesPerParameter: allocatorBytes === null ? null : allocatorBytes / parameters,
    logicalBytesPerParameter: logicalBytes / parameters,
  };
}
