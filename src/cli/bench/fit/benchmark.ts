// `slowlane bench fit`: policies one after the other, every try in a fresh process.

import { policyNamed } from '../../../measure/workloads/policies.js';
import { formatBytes, formatMs, shortCount } from '../../../checks/quantities.js';
import type { Benchmark } from '../benchmark.js';
import { measureCell } from '../cells.js';
import { startProgress } from '../progress.js';
import { NONE, sheetOf } from '../sheet.js';
import { fitPolicy, type RunTry } from './fit-policy.js';
import type { FitCell, FitOptions, FitTry } from './record.js';
import { SearchClock } from './time-left.js';

export const FIT: Benchmark<'fit', FitOptions, FitCell> = {
  name: 'fit',
  measure,
  saysAnything: isKnown,
  hasFailed: ({ status }) => status === 'failed',
  title({ options }) {
    const { width, batch, steps, syncPeriod, vramBytes } = options;
    return (
      `The largest stack of ${width}×${width} dense layers that trains ${steps} steps in ` +
      `${formatBytes(vramBytes)}: batch ${batch}, Adam, Lookahead with a sync every ${syncPeriod} steps.`
    );
  },
  sheets: ({ cells, options: { vramBytes } }) => [
    sheetOf(null, cells, [
      ['policy', ({ policy }) => policy],
      ['layers', (cell) => (isKnown(cell) ? `${cell.isLargest ? '' : '≥ '}${cell.layers}` : '?')],
      ['params', (cell) => (isKnown(cell) ? shortCount(cell.parameters) : '?')],
      ['peak', ({ peakBytes }) => (peakBytes === null ? NONE : formatBytes(peakBytes))],
      [
        'of VRAM',
        ({ peakBytes }) =>
          peakBytes === null ? NONE : `${((100 * peakBytes) / vramBytes).toFixed(1)} %`,
      ],
      ['B/param', ({ bytesPerParameter }) => bytesPerParameter?.toFixed(2) ?? NONE],
      ['tries', ({ tries }) => String(tries.length)],
    ]),
  ],
  notes: ({ cells, options }) =>
    cells.flatMap(({ policy, status, isLargest, tries, failure }) => {
      if (status === 'done') {
        if (isLargest) return [];
        return [`${policy}: all that --max-layers ${options.maxLayers} allows fit.`];
      }
      const last = tries.at(-1);
      const at = last === undefined ? '' : ` with ${layersText(last.layers)}`;
      return [`${policy}: ${failure?.kind ?? status}${at}: ${failure?.reason ?? ''}`];
    }),
};

async function* measure(options: FitOptions, signal: AbortSignal): AsyncGenerator<FitCell> {
  const { policies, tryTimeoutMs: timeoutMs } = options;
  const progress = startProgress(policies.length, signal);
  const clock = new SearchClock(options);
  const runTry: RunTry = ({ name: policy }, layers) =>
    measureCell('fit', { ...options, policy, layers }, { timeoutMs, signal });
  try {
    for (const [done, name] of policies.entries()) {
      if (signal.aborted) return;
      const cell = await fitPolicy(policyNamed(name), options, runTry, {
        onTry: (layers) =>
          progress.begin(done, `${name}: ${layersText(layers)}`, clock.leftMs(name)),
        onTried(tried) {
          clock.add(name, tried);
          progress.note(`${tryText(tried)} after ${formatMs(tried.wallMs)}`);
        },
      });
      progress.end(name, cellText(cell));
      yield cell;
    }
  } finally {
    progress.stop();
  }
}

function isKnown({ layers, isLargest }: FitCell): boolean {
  return isLargest || layers > 0;
}

function layersText(layers: number): string {
  return layers === 1 ? '1 layer' : `${layers} layers`;
}

function tryText({ outcome, peakBytes, reason }: FitTry): string {
  if (outcome === 'fits') return `fits: ${formatBytes(peakBytes ?? NaN)}`;
  return outcome === 'over budget' ? outcome : `${outcome}: ${reason ?? ''}`;
}

function cellText({ layers, isLargest, tries, status }: FitCell): string {
  const most = `${isLargest ? '' : 'at least '}${layersText(layers)}`;
  const count = tries.length === 1 ? '1 try' : `${tries.length} tries`;
  return `${most} after ${count}${status === 'done' ? '' : `, ${status}`}`;
}
