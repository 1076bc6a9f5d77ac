// The numbers of a run as table rows: the same on the terminal and in the report.

import {
  formatBytes,
  formatCount,
  formatMs,
  formatPercent,
  significant,
} from '../checks/quantities.js';
import type { EvaluationRecord, RunRecord } from '../records/run-record.js';

export interface SummaryRow {
  readonly label: string;
  readonly value: string;
}

export interface SummaryGroup {
  readonly title: string;
  readonly rows: readonly SummaryRow[];
}

/** Quality on fast and on slow weights, memory, the cost of syncs, speed: in this order. */
export function summarize(record: RunRecord): SummaryGroup[] {
  return [
    { title: 'Quality', rows: qualityRows(record.evaluations) },
    { title: 'Memory', rows: memoryRows(record) },
    { title: 'Sync', rows: syncRows(record) },
    { title: 'Speed', rows: speedRows(record) },
  ].filter(({ rows }) => rows.length > 0);
}

/** The evaluation of the weights that the run leaves: the slow ones, if there are any. */
export function finalEvaluation(record: RunRecord): EvaluationRecord | undefined {
  return record.evaluations.find(({ weights }) => weights === 'slow') ?? record.evaluations.at(-1);
}

/** Share of the training time that went into syncs. */
export function syncShare(record: RunRecord): number {
  return record.sync === null || record.wallMs.training === 0
    ? 0
    : record.sync.totalMs / record.wallMs.training;
}

export function stepsPerSecond(record: RunRecord): number {
  return record.wallMs.training === 0 ? 0 : (1000 * record.steps.done) / record.wallMs.training;
}

function qualityRows(evaluations: readonly EvaluationRecord[]): SummaryRow[] {
  return [
    ...evaluations.map(({ weights, accuracy }) => ({
      label: `Test accuracy, ${weights} weights`,
      value: formatPercent(accuracy),
    })),
    ...evaluations.map(({ weights, loss }) => ({
      label: `Test loss, ${weights} weights`,
      value: loss === null ? 'not finite' : loss.toFixed(4),
    })),
  ];
}

function memoryRows({ memory }: RunRecord): SummaryRow[] {
  const rows = [
    { label: 'Weights', value: formatBytes(memory.weightBytes) },
    { label: 'Device bytes (logical, between batches)', value: formatBytes(memory.deviceBytes) },
  ];
  if (memory.host !== null) {
    rows.push(
      { label: 'Host bytes, slow weights', value: formatBytes(memory.host.slowBytes) },
      { label: 'Host bytes, staging', value: formatBytes(memory.host.stagingBytes) },
    );
  }
  if (memory.reachedHostBytes !== undefined) {
    rows.push({
      label: 'Host bytes in all, with moments',
      value: formatBytes(memory.reachedHostBytes),
    });
  }
  return rows;
}

function syncRows(record: RunRecord): SummaryRow[] {
  const { sync } = record;
  if (sync === null) return [];
  const each = sync.syncs === 0 ? 0 : sync.totalMs / sync.syncs;
  return [
    { label: 'Syncs', value: formatCount(sync.syncs) },
    { label: 'Sync time', value: formatMs(sync.totalMs) },
    { label: 'Sync time, share of training', value: formatPercent(syncShare(record)) },
    { label: 'Sync time, each', value: formatMs(each) },
    { label: 'Sync time, pull', value: formatMs(sync.pullMs) },
    { label: 'Sync time, blend', value: formatMs(sync.blendMs) },
    { label: 'Sync time, push', value: formatMs(sync.pushMs) },
    { label: 'Sync time, check', value: formatMs(sync.checkMs) },
    { label: 'Bytes pulled', value: formatBytes(sync.bytesPulled) },
    { label: 'Bytes pushed', value: formatBytes(sync.bytesPushed) },
    { label: 'Blended by', value: sync.workers },
  ];
}

function speedRows(record: RunRecord): SummaryRow[] {
  return [
    { label: 'Steps', value: formatCount(record.steps.done) },
    { label: 'Steps per second', value: significant(stepsPerSecond(record)) },
    { label: 'Training time', value: formatMs(record.wallMs.training) },
    { label: 'Time in all', value: formatMs(record.wallMs.total) },
    { label: 'Engine', value: record.engine.name },
  ];
}
