// The few numbers that a reader looks for first.

import { escapeHtml, escapeQuantity } from './html.js';
import { formatBytes, formatCount, formatPercent, significant } from '../checks/quantities.js';
import type { MemoryRecord, RunRecord } from '../records/run-record.js';
import { finalEvaluation, stepsPerSecond, syncShare } from './summary.js';

export function tiles(record: RunRecord): string {
  const final = finalEvaluation(record);
  const all = [
    final && tile('Test accuracy', formatPercent(final.accuracy), `${final.weights} weights`),
    tile('Device', formatBytes(record.memory.deviceBytes), 'logical, between batches'),
    hostTile(record.memory),
    record.sync &&
      tile(
        'Sync',
        formatPercent(syncShare(record)),
        `of training, ${formatCount(record.sync.syncs)} syncs`,
      ),
    tile('Speed', `${significant(stepsPerSecond(record))}/s`, `steps, on ${record.engine.name}`),
  ];
  return `<dl class="tiles">${all.filter((one) => one !== undefined && one !== null).join('')}</dl>`;
}

function tile(label: string, value: string, detail: string): string {
  return `<div><dt>${escapeHtml(label)}</dt><dd>${escapeHtml(value)}<small>${escapeQuantity(detail)}</small></dd></div>`;
}

/** The engine counts offloaded moments too, so they are what remains after slow weights and staging. */
function hostTile({ host, reachedHostBytes = 0 }: MemoryRecord): string | null {
  const slow = host?.slowBytes ?? 0;
  const staging = host?.stagingBytes ?? 0;
  const moments = Math.max(0, reachedHostBytes - slow - staging);
  if (host === null && moments === 0) return null;
  if (moments === 0) {
    return tile('Host', formatBytes(slow), `slow weights, and ${formatBytes(staging)} staging`);
  }
  const parts = [
    ...(host === null ? [] : [`slow weights ${formatBytes(slow)}`]),
    ...(staging === 0 ? [] : [`staging ${formatBytes(staging)}`]),
    `moments ${formatBytes(moments)}`,
  ];
  return tile('Host', formatBytes(slow + staging + moments), parts.join(', '));
}
