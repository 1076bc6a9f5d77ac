// What the bus can do with the bytes of a whole sync, in two formats and two sizes of pieces.

import { timeBus } from '../../src/measure/bus.js';
import type { BareDevice } from '../../src/measure/devices.js';
import type { Meters } from '../../src/measure/meters.js';
import { parametersOf } from '../../src/measure/stack.js';
import { busSeries } from './cells.js';
import type { CellOptions, Series } from './record.js';

const MIB = 2 ** 20;
const PIECES_MIB = [4, 8] as const;
const FORMATS = [
  { name: 'f16', bytesPerSlow: 2 },
  { name: 'f32', bytesPerSlow: 4 },
] as const;
const ROUNDS_PER_REPEAT = 4;

export async function measureBus(
  device: BareDevice,
  options: CellOptions,
  meters: Meters,
): Promise<Series[]> {
  const series: Series[] = [];
  for (const { name, bytesPerSlow } of FORMATS) {
    for (const pieceMib of PIECES_MIB) {
      const pieces = cutEvenly(bytesPerSlow * parametersOf(options), pieceMib * MIB);
      const rounds = ROUNDS_PER_REPEAT * options.repeats;
      const timed = await timeBus(device, pieces, rounds, (phase) => meters.enter(phase));
      series.push({ name: busSeries(name, pieceMib), ...timed });
    }
  }
  return series;
}

function cutEvenly(totalBytes: number, pieceBytes: number): number[] {
  const count = Math.ceil(totalBytes / pieceBytes);
  return Array.from({ length: count }, (_, i) => Math.min(pieceBytes, totalBytes - i * pieceBytes));
}
