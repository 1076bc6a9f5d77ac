// What device memory was used for at its peak, one column per run.

import { table, type TableRow } from './html.js';
import { formatBytes, formatCount } from '../checks/quantities.js';
import type { NamedRun } from './data.js';
import type { TimelineData } from '../meter/timeline-data.js';

const UNSEEN = '–';
/** The categories that TensorFlow.js's own count can distinguish; everything else counts as activations. */
const SEEN_OF_TENSORS = ['weights', 'moments', 'activations'];

/** Empty where no run has a timeline. */
export function peakTable(runs: readonly NamedRun[]): string {
  const peaks = runs.map(({ record: { timeline } }) => timeline && peakOf(timeline));
  const categories = peaks.find((peak) => peak !== null)?.categories;
  if (categories === undefined) return '';
  // A run without a timeline keeps its column: the colours of columns go by their places.
  const row = (label: string, valueOf: (peak: Peak) => string): TableRow => ({
    label,
    values: peaks.map((peak) => (peak === null ? UNSEEN : valueOf(peak))),
  });
  return table(
    'Most allocated at one time',
    runs.map(({ name }) => name),
    [
      row('Total', ({ total }) => formatBytes(total)),
      ...categories.map((category, at) =>
        row(`${category[0]?.toUpperCase()}${category.slice(1)}`, ({ bytes, isSeen }) =>
          isSeen(category) ? formatBytes(bytes[at] ?? 0) : UNSEEN,
        ),
      ),
      row('In step', ({ step }) => formatCount(step)),
      row('In phase', ({ phase }) => phase),
      row('At any time in use, without the pool', ({ inUse, isSeen }) =>
        isSeen('pool') ? formatBytes(inUse) : UNSEEN,
      ),
      row('Budget', ({ budget }) => (budget === null ? 'none' : formatBytes(budget))),
    ],
  );
}

type Peak = ReturnType<typeof peakOf>;

function peakOf({ categories, phases, peak, steps, budgetBytes, source }: TimelineData) {
  const { bytes } = peak;
  const pool = categories.indexOf('pool');
  const inUse = steps.step.map((_, row) =>
    steps.peak.reduce((sum, of, at) => sum + (at === pool ? 0 : (of[row] ?? 0)), 0),
  );
  return {
    categories,
    isSeen: (category: string) => source === 'allocator' || SEEN_OF_TENSORS.includes(category),
    total: bytes.reduce((sum, held) => sum + held, 0),
    inUse: inUse.reduce((most, held) => Math.max(most, held), 0),
    bytes: categories.map((_, at) => bytes[at] ?? 0),
    step: peak.step,
    phase: phases[peak.phase] ?? '',
    budget: budgetBytes,
  };
}
