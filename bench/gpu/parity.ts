// Whether a cell trains what it should: its losses against those of tfjs's own optimizer.

import { cellNamed } from './cells.js';
import type { CellRecord } from './record.js';

/** The largest relative difference of the first losses; null if there is nothing to compare with. */
export function lossDifference(cell: CellRecord, cells: readonly CellRecord[]): number | null {
  const other = cellNamed(cell.name)?.sameLossesAs;
  const ours = lossesOf(cell);
  const theirs = lossesOf(cells.find(({ name }) => name === other));
  if (ours.length === 0 || theirs.length === 0) return null;
  const differences = ours.map((loss, i) => {
    const expected = theirs[i] ?? NaN;
    return Math.abs(loss - expected) / Math.abs(expected);
  });
  return differences.some(Number.isNaN) ? NaN : Math.max(...differences);
}

function lossesOf(cell: CellRecord | undefined): readonly number[] {
  return cell?.status === 'ok' && cell.values.kind === 'training' ? cell.values.losses : [];
}
