// What device memory was used for at its peak, one column per run.

import { table, type TableRow } from './html.js';
import { formatBytes, formatCount } from '../checks/quantities.js';
import type { NamedRun } from './data.js';
import type { RunRecord } from '../records/run-record.js';

const UNSEEN = '–';
/** The categories that TensorFlow.js's own count can distinguish; everything else counts as activations. */
const SEEN_OF_TENSORS = ['weights', 'moments', 'activations'];

/** Empty where no run has a timeline. */
export function peakTable(runs: readonly NamedRun[]): string {
  const timed = runs.filter(({ record }) => record.timeline !== null);
  if (timed.length === 0) return '';
  return table(
    'Most allocated at one time',
    timed.map(({ name }) => name),
    peakRows(timed),
  );
}

function peakRows(runs: readonly NamedRun[]): TableRow[] {
  const peaks = runs.map(({ record }) => peakOf(record));
  const categories = peaks[0]?.categories ?? [];
  return [
    { label: 'In all', values: peaks.map(({ total }) => formatBytes(total)) },
    ...categories.map((label, at) => ({
      label: `${label[0]?.toUpperCase()}${label.slice(1)}`,
      values: peaks.map(({ bytes, isSeen }) =>
        isSeen(label) ? formatBytes(bytes[at] ?? 0) : UNSEEN,
      ),
    })),
    { label: 'In step', values: peaks.map(({ step }) => formatCount(step)) },
    { label: 'In phase', values: peaks.map(({ phase }) => phase) },
    {
      label: 'At any time in use, without the pool',
      values: peaks.map(({ inUse, isSeen }) => (isSeen('pool') ? formatBytes(inUse) : UNSEEN)),
    },
    {
      label: 'Budget',
      values: peaks.map(({ budget }) => (budget === null ? 'none' : formatBytes(budget))),
    },
  ];
}

function peakOf({ timeline }: RunRecord) {
  const { categories = [], phases = [], peak, steps, budgetBytes = null } = timeline ?? {};
  const { source = 'allocator' } = timeline ?? {};
  const bytes = peak?.bytes ?? [];
  const pool = categories.indexOf('pool');
  const inUse = (steps?.step ?? []).map((_, row) =>
    (steps?.peak ?? []).reduce((sum, of, at) => sum + (at === pool ? 0 : (of[row] ?? 0)), 0),
  );
  return {
    categories,
    isSeen: (category: string) => source === 'allocator' || SEEN_OF_TENSORS.includes(category),
    total: bytes.reduce((sum, held) => sum + held, 0),
    inUse: inUse.reduce((most, held) => Math.max(most, held), 0),
    bytes: categories.map((_, at) => bytes[at] ?? 0),
    step: peak?.step ?? 0,
    phase: phases[peak?.phase ?? 0] ?? '',
    budget: budgetBytes,
  };
}
