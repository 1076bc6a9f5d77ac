// What `bench fit` has found, for the terminal.

import Table from 'cli-table3';

import type { FitCell, FitRecord } from '../bench/fit/fit-record.js';
import { formatBytes } from '../memory/quantities.js';
import { formatCount } from '../policy/plan-weights.js';
import { wrapped } from './wrapped.js';

/** The frame alone: lines between rows are left out. */
const NO_INNER_LINES = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' } as const;
const NONE = '–';
const HEAD = ['policy', 'layers', 'params', 'peak', 'of VRAM', 'B/param', 'tries'];

/** A table, or plain lines where a terminal has too few `columns` for it. */
export function fitText(record: FitRecord, columns = Infinity): string {
  const rows = record.cells.map((cell) => rowOf(cell, record));
  const table = tableOf(rows);
  const lines = rows.map(([policy = '', ...values]) =>
    [`${policy}:`, ...values.map((value, i) => `${HEAD[i + 1]} ${value}`)].join(' '),
  );
  const isTable = rows.length > 0 && table.indexOf('\n') <= columns;
  return [
    ...headOf(record).map((line) => wrapped(line, columns)),
    ...(isTable ? [table] : lines.map((line) => wrapped(line, columns))),
    ...notesOf(record).map((line) => wrapped(line, columns)),
  ].join('\n');
}

function headOf({ options, machine, isPartial, ended }: FitRecord): string[] {
  const { width, batch, steps, syncPeriod, vramBytes } = options;
  const { name, software, driver } = machine.adapter;
  return [
    ...(isPartial ? [`PARTIAL: ${ended}`] : []),
    ...(software ? ['SOFTWARE ADAPTER: bytes are exact, times mean nothing.'] : []),
    // The name ends with the driver.
    name.includes(driver) ? name : `${name}, ${driver}`,
    `The largest stack of ${width}×${width} dense layers that trains ${steps} steps in ` +
      `${formatBytes(vramBytes)}: batch ${batch}, Adam, Lookahead with a sync every ${syncPeriod} steps.`,
    '',
  ];
}

function rowOf(cell: FitCell, { options }: FitRecord): string[] {
  const { policy, layers, isLargest, parameters, peakBytes, bytesPerParameter, tries } = cell;
  const isKnown = isLargest || layers > 0;
  return [
    policy,
    isKnown ? `${isLargest ? '' : '≥ '}${layers}` : '?',
    isKnown ? formatCount(parameters) : '?',
    peakBytes === null ? NONE : formatBytes(peakBytes),
    peakBytes === null ? NONE : `${((100 * peakBytes) / options.vramBytes).toFixed(1)} %`,
    bytesPerParameter === null ? NONE : bytesPerParameter.toFixed(2),
    String(tries.length),
  ];
}

function tableOf(rows: readonly string[][]): string {
  const table = new Table({
    head: HEAD,
    colAligns: HEAD.map((name) => (name === 'policy' ? 'left' : 'right')),
    chars: NO_INNER_LINES,
    style: { head: [], border: [] }, // no colours: the text may go to a file
  });
  table.push(...rows);
  return table.toString();
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
