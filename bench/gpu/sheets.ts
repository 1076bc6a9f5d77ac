// The record as tables for people.

import { cellNamed } from './cells.js';
import { lossDifference } from './parity.js';
import { peakOf } from '../../src/measure/peaks.js';
import type { BenchRecord, CellRecord, CellValues } from './record.js';
import type { ReferenceSummary, TrainingSummary } from './summary.js';

export interface Sheet {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
}

type Ran = Extract<CellRecord, { status: 'ok' }>;

const NONE = '–';
const GIB = 2 ** 30;

export function sheetsOf(record: BenchRecord): Sheet[] {
  const { cells } = record;
  return [times(cells), memory(cells), references(cells), failures(cells), verdicts(record)].filter(
    ({ rows }) => rows.length > 0,
  );
}

/** Machine and sizes, and what a reader must not miss. */
export function headingOf(record: BenchRecord): { lines: string[]; warnings: string[] } {
  const { machine, options, cells } = record;
  const { adapter, nvidia, versions } = machine;
  const { layers, width, batch, steps, repeats, syncPeriod } = options;
  const parameters = layers * width ** 2;
  const gpu = nvidia === null ? '' : `, driver ${nvidia['driver_version'] ?? 'unknown'}`;
  const lines = [
    nvidia === null ? adapter.name : `${nvidia['name'] ?? ''}${gpu} (WebGPU: ${adapter.name})`,
    `${machine.cpu}, ${machine.cores} cores, ${(machine.ramBytes / GIB).toFixed(0)} GiB; ${machine.platform}; ` +
      `Node ${versions.node}, tfjs ${versions.tfjs}, webgpu ${versions.webgpu}, slowlane ${versions.slowlane}, ` +
      `commit ${machine.commit ?? 'unknown'}; ${record.startedAt}`,
    `${layers} dense layers of ${width}×${width} (${parameters.toLocaleString('en')} parameters), batch ${batch}, ` +
      `k = ${syncPeriod}; ${repeats} repeats of ${steps} steps`,
  ];
  const warnings: string[] = [];
  if (adapter.software) {
    warnings.push(
      `SOFTWARE ADAPTER: '${adapter.name}' computes on the CPU. The times say nothing about any GPU.`,
    );
  }
  if (record.partial)
    warnings.push(`PARTIAL: the run did not end; ${cells.length} cells are here.`);
  return { lines, warnings };
}

function times(cells: readonly CellRecord[]): Sheet {
  const rows = cells.flatMap((cell) => {
    if (cell.status !== 'ok' || cell.summary.kind !== 'training') return [];
    const { summary } = cell;
    const { values } = cell;
    const delay = values.kind === 'training' ? values.eventLoopDelayMs.max : NaN;
    return [
      [
        cell.name,
        ms(summary.stepMs?.median),
        `${ms(summary.stepMs?.p95)} / ${ms(summary.stepMs?.max)}`,
        ms(summary.syncStepMs?.median),
        ms(summary.syncStepMs?.max),
        ms(summary.firstSyncStepMs),
        `${ms(summary.cycleMeanMs)} (${summary.cycleMeanRangeMs.map(ms).join(' … ')})`,
        costOf(cell.name, summary, cells),
        ms(summary.unsynchronisedMs?.median),
        ms(delay),
        difference(lossDifference(cell, cells)),
      ],
    ];
  });
  return {
    title: 'Time per step, ms',
    head: [
      'cell',
      'step',
      'p95 / max',
      'every kth',
      'max',
      'first kth',
      'mean of whole cycles',
      'Lookahead costs',
      'unsync.',
      'loop delay',
      'losses',
    ],
    rows,
    notes: [
      'step: median of steps that end no cycle, each waited for (queue.onSubmittedWorkDone). every kth: of those that ' +
        'end one, with the sync where there is one. mean: over all of them (lowest … highest repeat).',
      'Lookahead costs: that mean against the same inner optimizer without it. unsync.: median over repeats of a step ' +
        'when only the end of the repeat is waited for. loop delay: longest, in the awaited part.',
      "losses: largest relative difference of the first 20 to those of tfjs's own optimizer in the same role.",
    ],
  };
}

function costOf(name: string, { cycleMeanMs }: TrainingSummary, cells: readonly CellRecord[]) {
  const without = cells.find((cell) => cell.name === cellNamed(name)?.without);
  if (without?.status !== 'ok' || without.summary.kind !== 'training') return NONE;
  const percent = 100 * (cycleMeanMs / without.summary.cycleMeanMs - 1);
  return `${percent >= 0 ? '+' : '−'}${Math.abs(percent).toFixed(1)} %`;
}

function memory(cells: readonly CellRecord[]): Sheet {
  const ran = cells.filter((cell): cell is Ran => cell.status === 'ok');
  return {
    title: 'Peak of device memory, bytes per parameter',
    head: [
      'cell',
      'driver',
      'in training',
      'driver, GiB',
      'buffers',
      'of the device',
      'mappable',
      'tensors',
      'host RSS, GiB',
    ],
    rows: ran.map(({ name, values, driver }) => {
      const training = Object.entries(driver.byPhase).flatMap(([phase, bytes]) =>
        phase === 'set-up' ? [] : [bytes],
      );
      return [
        name,
        perParameter(values, driver.peakBytes),
        perParameter(values, training.length === 0 ? null : Math.max(...training)),
        driver.peakBytes === null ? 'unknown' : (driver.peakBytes / GIB).toFixed(2),
        perParameter(values, peakOf(values.peaks, 'allBuffersBytes')),
        perParameter(values, peakOf(values.peaks, 'deviceLocalBytes')),
        perParameter(values, peakOf(values.peaks, 'mappableBytes')),
        perParameter(values, peakOf(values.peaks, 'logicalBytes')),
        (values.host.peakRssBytes / GIB).toFixed(2),
      ];
    }),
    notes: [
      `driver: nvidia-smi, sampled every 100 ms (${sourcesOf(ran)}); in training: without the upload of the first weights.`,
      'buffers: every GPUBuffer, counted where it is made and destroyed, together; of the device: those the host cannot ' +
        'map; mappable: MAP_READ and MAP_WRITE, which are host memory on a discrete GPU. The parts peak at different times.',
      "tensors: tfjs's own count (tf.memory), blind to pools and staging; a clone counts again.",
    ],
  };
}

function sourcesOf(cells: readonly Ran[]): string {
  const meanings = {
    process: "the process's own",
    gpu: 'rise of the whole GPU, for the driver does not tell by process',
    unknown: 'unknown here',
  };
  return [...new Set(cells.map(({ driver }) => meanings[driver.source]))].join('; ');
}

function references(cells: readonly CellRecord[]): Sheet {
  const rows = cells.flatMap((cell) => {
    if (cell.status !== 'ok' || cell.summary.kind !== 'reference') return [];
    return cell.summary.series.map((one) => seriesRow(cell.name, one));
  });
  return {
    title: 'What the parts can do, ms',
    head: ['cell', 'what', 'median', 'p95', 'min … max', 'first', 'GB/s'],
    rows,
    notes: [
      'GB/s: bytes read and written on the device (copy-device, adam-update-only: 28 B per parameter), or moved up ' +
        'and down (bus, sync-only), by the median.',
    ],
  };
}

function seriesRow(cell: string, series: ReferenceSummary['series'][number]): string[] {
  const { name, ms: spread, firstMs, gigabytesPerSecond } = series;
  return [
    cell,
    name,
    ms(spread?.median),
    ms(spread?.p95),
    `${ms(spread?.min)} … ${ms(spread?.max)}`,
    ms(firstMs),
    Number.isNaN(gigabytesPerSecond) ? NONE : gigabytesPerSecond.toPrecision(3),
  ];
}

function failures(cells: readonly CellRecord[]): Sheet {
  return {
    title: 'Failed',
    head: ['cell', 'how', 'during', 'why'],
    rows: cells.flatMap((cell) =>
      cell.status === 'failed'
        ? [[cell.name, cell.failure.kind, cell.phase ?? 'start', cell.failure.reason]]
        : [],
    ),
    notes: [],
  };
}

function verdicts(record: BenchRecord): Sheet {
  return {
    title: 'What a GPU run has to show',
    head: ['', 'answer', 'numbers'],
    rows: record.verdicts.map(({ question, answer, numbers }) => [question, answer, numbers]),
    notes: [],
  };
}

function ms(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return value.toFixed(value < 100 ? 2 : 1);
}

function perParameter({ parameters }: CellValues, bytes: number | null): string {
  return bytes === null ? 'unknown' : (bytes / parameters).toFixed(2);
}

function difference(value: number | null): string {
  if (value === null) return NONE;
  if (Number.isNaN(value)) return 'not a number';
  return value === 0 ? 'equal' : value.toExponential(1);
}
