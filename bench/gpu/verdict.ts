// What a run on a GPU has to show, each with its numbers: yes, no, or unknown.

import { busSeries, SERIES } from './cells.js';
import type { BenchRecord, CellRecord } from './record.js';

export interface Verdict {
  readonly question: string;
  readonly answer: 'yes' | 'no' | 'unknown';
  readonly numbers: string;
}

const MOST_BYTES_PER_PARAMETER = 12.8;
const MOST_OF_BUS = 1.3;
const MOST_OF_COPY = 1.5;
const RELEASING = ['adam-release', 'lookahead-release-f32', 'lookahead-release-f16'];

type Judged = Pick<BenchRecord, 'cells' | 'machine'>;

export function verdictsOf(record: Judged): Verdict[] {
  const verdicts = [memory(record.cells), sync(record.cells), update(record.cells)];
  if (!record.machine.adapter.software) return verdicts;
  return verdicts.map(({ question, numbers }) => ({
    question,
    answer: 'unknown',
    numbers: `a software adapter says nothing about this (${numbers})`,
  }));
}

function memory(cells: readonly CellRecord[]): Verdict {
  const bytesPerParameter = RELEASING.map((name) => {
    const cell = cells.find((one) => one.name === name);
    if (cell?.status !== 'ok' || cell.driver.peakBytes === null) return { name, bytes: NaN };
    return { name, bytes: cell.driver.peakBytes / cell.values.parameters };
  });
  const isOver = bytesPerParameter.some(({ bytes }) => bytes > MOST_BYTES_PER_PARAMETER);
  const isKnown = bytesPerParameter.every(({ bytes }) => !Number.isNaN(bytes));
  return {
    question: `With gradients released at most ${MOST_BYTES_PER_PARAMETER} B per parameter, by the driver's count`,
    answer: isOver ? 'no' : isKnown ? 'yes' : 'unknown',
    numbers: bytesPerParameter
      .map(({ name, bytes }) => `${name} ${Number.isNaN(bytes) ? 'unknown' : bytes.toFixed(2)}`)
      .join(', '),
  };
}

function sync(cells: readonly CellRecord[]): Verdict {
  const syncMs = medianMs(cells, 'sync-only-f16', SERIES.syncDone);
  const busMs = Math.min(
    ...[4, 8]
      .map((mib) => medianMs(cells, 'bus', busSeries('f16', mib)))
      .filter((ms) => !Number.isNaN(ms)),
  );
  return ratio(`A sync in fp16 takes at most ${MOST_OF_BUS} × the raw bus`, MOST_OF_BUS, {
    'sync of fp16': syncMs,
    'the bus alone': busMs === Infinity ? NaN : busMs,
  });
}

function update(cells: readonly CellRecord[]): Verdict {
  return ratio(
    `An Adam update takes at most ${MOST_OF_COPY} × a copy on the device with the same traffic`,
    MOST_OF_COPY,
    {
      'adam-update-only': medianMs(cells, 'adam-update-only', SERIES.pipelined),
      'copy-device': medianMs(cells, 'copy-device', SERIES.pipelined),
    },
  );
}

/** The first of `timesMs` against the second. */
function ratio(question: string, most: number, timesMs: Record<string, number>): Verdict {
  const [ours = NaN, floor = NaN] = Object.values(timesMs);
  const times = ours / floor;
  const numbers = Object.entries(timesMs)
    .map(([name, ms]) => `${name} ${Number.isNaN(ms) ? 'unknown' : `${ms.toFixed(2)} ms`}`)
    .join(', ');
  if (Number.isNaN(times)) return { question, answer: 'unknown', numbers };
  return {
    question,
    answer: times <= most ? 'yes' : 'no',
    numbers: `${numbers}: ${times.toFixed(2)} ×`,
  };
}

function medianMs(cells: readonly CellRecord[], cellName: string, seriesName: string): number {
  const cell = cells.find(({ name }) => name === cellName);
  if (cell?.status !== 'ok' || cell.summary.kind !== 'reference') return NaN;
  return cell.summary.series.find(({ name }) => name === seriesName)?.ms?.median ?? NaN;
}
