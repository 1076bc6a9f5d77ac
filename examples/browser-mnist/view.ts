// Shows a run: tiles, charts, tables. Updates a few times a second, however fast the steps are.

import type uPlot from 'uplot';

import { accuracyChart, CATEGORIES, lossChart, memoryChart } from './charts.js';
import { formatBytes, formatCount, formatPercent, significant, smoothed } from './format.js';
import type { RunRecord } from './training.js';

/** Finds an element of the page, or says that the page is not what the script expects. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new TypeError(`The page has no ${kind.name} #${id}.`);
  return found;
}

export class View {
  readonly #loss = lossChart(byId('loss-chart', HTMLElement));
  readonly #accuracy = accuracyChart(byId('accuracy-chart', HTMLElement));
  readonly #memory = memoryChart(byId('memory-chart', HTMLElement));

  show(record: RunRecord): void {
    const { losses, tests, memory, stats, steps, trainingMs } = record;
    const means = smoothed(losses.map(({ loss }) => loss));
    const slow = tests.at(-1)?.slow;
    const device = memory.at(-1)?.device;
    put('loss', means.length === 0 ? '–' : significant(means.at(-1) ?? 0));
    put('accuracy', slow === undefined ? '–' : formatPercent(slow));
    put('speed', trainingMs === 0 ? '–' : significant((1000 * steps) / trainingMs));
    put('peak', device === undefined ? '–' : formatBytes(device.peakBytes));
    put('syncs', stats === null ? '–' : formatCount(stats.syncs));

    this.#loss.set([losses.map(({ step }) => step), losses.map(({ loss }) => loss), means]);
    this.#accuracy.set([
      tests.map(({ step }) => step),
      tests.map(({ fast }) => fast),
      tests.map(({ slow }) => slow),
    ]);
    for (const id of ['memory', 'note']) byId(id, HTMLElement).hidden = record.adapter === null;
    this.#memory.set(stacked(record));
    this.#deviceTable(record);
    hostTable(record);
  }

  #deviceTable({ memory, backend }: RunRecord): void {
    const device = memory.at(-1)?.device;
    if (device === undefined) {
      fill('device-table', [[backend, 'no device memory: all of it is the host’s']]);
      return;
    }
    const { by, allocatedBytes, peakBytes, budgetBytes } = device;
    fill('device-table', [
      ...CATEGORIES.map((category): Row => [category, by[category], category]),
      ['allocated', allocatedBytes],
      ['peak, tests included', peakBytes],
      ['budget', Number.isFinite(budgetBytes) ? budgetBytes : 'none'],
    ]);
  }
}

/** The label, bytes or text, and the category whose colour marks it. */
type Row = [label: string, value: number | string, category?: string];

function hostTable({ stats, adapter, backend, parameters, steps, tensors }: RunRecord): void {
  const where =
    adapter === null ? backend : `${adapter.name}${adapter.software ? ' (software)' : ''}`;
  fill('host-table', [
    ['adapter', where],
    ['parameters', formatCount(parameters)],
    ['steps', formatCount(steps)],
    ['slow weights, host', stats?.host.slowBytes ?? 0],
    ['staging, host', stats?.host.stagingBytes ?? 0],
    ['pulled by syncs', stats?.bytesPulled ?? 0],
    ['pushed by syncs', stats?.bytesPushed ?? 0],
    ['tensors that tfjs holds', formatCount(tensors)],
  ]);
}

function fill(table: string, rows: readonly Row[]): void {
  const body = byId(table, HTMLTableElement).tBodies[0];
  body?.replaceChildren(...rows.map(rowOf));
}

function rowOf([label, value, category]: Row): HTMLTableRowElement {
  const row = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = label;
  if (category !== undefined) {
    head.className = 'swatch';
    head.style.setProperty('--swatch', `var(--${category})`);
  }
  const cell = document.createElement('td');
  if (typeof value === 'number') {
    const data = document.createElement('data');
    data.value = String(value);
    data.textContent = formatBytes(value);
    data.title = `${formatCount(value)} bytes`;
    cell.append(data);
  } else {
    cell.textContent = value;
  }
  row.append(head, cell);
  return row;
}

/** Steps, the peak, and the sums from the top of the stack down, because what is drawn last is in front. */
function stacked({ memory }: RunRecord): uPlot.AlignedData {
  const sums = memory.map(({ device }) => {
    let sum = 0;
    return CATEGORIES.map((category) => (sum += device.by[category]));
  });
  return [
    memory.map(({ step }) => step),
    memory.map(({ device }) => device.peakBytes),
    ...CATEGORIES.map((_, i) => sums.map((row) => row.at(-1 - i) ?? 0)),
  ];
}

function put(id: string, text: string): void {
  byId(id, HTMLElement).textContent = text;
}
