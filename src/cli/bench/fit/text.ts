// What `bench fit` has found, for the terminal.

import type { FitCell, FitRecord } from './fit-record.js';
import { formatBytes, shortCount } from '../../../checks/quantities.js';
import { headOf, NONE } from '../table.js';
import { tableText } from '../../terminal/table.js';
import { wrapped } from '../../terminal/wrapped.js';

const HEAD = ['policy', 'layers', 'params', 'peak', 'of VRAM', 'B/param', 'tries'];

/** A table, or plain lines where a terminal has too few `columns` for it. */
export function fitText(record: FitRecord, columns = Infinity): string {
  const rows = record.cells.map((cell) => rowOf(cell, record));
  const above = [...headOf(record), whatOf(record), ''];
  return [
    ...above.map((line) => wrapped(line, columns)),
    ...tableText(HEAD, rows, columns),
    ...notesOf(record).map((line) => wrapped(line, columns)),
  ].join('\n');
}

function whatOf({ options }: FitRecord): string {
  const { width, batch, steps, syncPeriod, vramBytes } = options;
  return (
    `The largest stack of ${width}×${width} dense layers that trains ${steps} steps in ` +
    `${formatBytes(vramBytes)}: batch ${batch}, Adam, Lookahead with a sync every ${syncPeriod} steps.`
  );
}

function rowOf(cell: FitCell, { options }: FitRecord): string[] {
  const { policy, layers, isLargest, parameters, peakBytes, bytesPerParameter, tries } = cell;
  const isKnown = isLargest || layers > 0;
  return [
    policy,
    isKnown ? `${isLargest ? '' : '≥ '}${layers}` : '?',
    isKnown ? shortCount(parameters) : '?',
    peakBytes === null ? NONE : formatBytes(peakBytes),
    peakBytes === null ? NONE : `${((100 * peakBytes) / options.vramBytes).toFixed(1)} %`,
    bytesPerParameter === null ? NONE : bytesPerParameter.toFixed(2),
    String(tries.length),
  ];
}

/** Why a row is not the whole truth. */
function notesOf({ cells, options }: FitRecord): string[] {
  return cells.flatMap(({ policy, status, isLargest, tries, failure }) => {
    const last = tries.at(-1);
    if (status === 'done') {
      if (isLargest) return [];
      return [`${policy}: all that --max-layers ${options.maxLayers} allows fit.`];
    }
    const at =
      last === undefined ? '' : ` with ${last.layers} layer${last.layers === 1 ? '' : 's'}`;
    return [`${policy}: ${failure?.kind ?? status}${at}: ${failure?.reason ?? ''}`];
  });
}
