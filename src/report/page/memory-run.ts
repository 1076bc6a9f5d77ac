// The memory of one run: bytes by category at each point of its chart, and what a point means in words.

import { formatBytes, formatCount } from '../../checks/quantities.js';
import type { MemoryChart } from '../data.js';
import { type MemoryPoints, ROW_BEGIN, ROW_PEAK } from '../memory-points.js';
import type { Chart, Description, Range, TipRow } from './chart.js';
import { data, element, hasManyRuns, runPanel } from './page.js';

/** Categories from the bottom of the stack: what stays long lies below what comes and goes. */
export const STACK = ['weights', 'moments', 'gradients', 'activations', 'staging', 'pool']
  .map((name) => data.categories.indexOf(name))
  .filter((at) => at >= 0);

export class MemoryRun {
  readonly name: string;
  readonly plot: HTMLElement;
  readonly #at: number;
  readonly #above: HTMLElement;
  chart: Chart | undefined;
  /** By category, then by point. */
  bytes: readonly Float64Array[] = [];
  total = new Float64Array();
  #hasBudgetLine = false;

  /** Run `at` has a timeline. */
  constructor(section: Element, at: number) {
    this.#at = at;
    this.name = data.runs[at]?.name ?? '';
    const { outer, plot } = runPanel(section, this.name, at);
    this.plot = plot;
    this.#above = element('p', 'above');
    outer.append(this.#above);
  }

  get memory(): MemoryChart {
    const { memory } = data.runs[this.#at] ?? {};
    if (memory === undefined || memory === null) throw new Error(`${this.name} has no timeline.`);
    return memory;
  }

  get points(): MemoryPoints {
    return this.memory.points;
  }

  /** The budget, where it is not far above everything else. */
  get budgetLine(): number | null {
    return this.#hasBudgetLine ? this.memory.budgetBytes : null;
  }

  load(): void {
    this.bytes = bytesByCategory(this.points);
    this.total = new Float64Array(this.points.x.length);
    for (const column of this.bytes) column.forEach((held, i) => (this.total[i]! += held));
  }

  /** `mostBytes`: of all runs. */
  showBudget(mostBytes: number): void {
    const { budgetBytes } = this.memory;
    this.#hasBudgetLine = budgetBytes !== null && budgetBytes <= 2.5 * mostBytes;
    const notes = [];
    if (budgetBytes !== null && this.#hasBudgetLine)
      notes.push(`Dashed: the budget, ${formatBytes(budgetBytes)}.`);
    else if (budgetBytes !== null)
      notes.push(`The budget, ${formatBytes(budgetBytes)}, is far above this chart.`);
    if (this.gap !== null)
      notes.push('Faded: only what was held when a step began, and its peak; no single events.');
    this.#above.textContent = notes.join(' ');
  }

  /** The part between the first events and the last ones, if some were not kept. */
  get gap(): Range | null {
    const { firstEnds, lastBegins } = this.points;
    const from = firstEnds ?? 0;
    return lastBegins === null || lastBegins <= from ? null : [from, lastBegins];
  }

  /** The columns of the chart: `shown` categories stacked, the whole stack first, then the budget. */
  columns(shown: readonly number[]): [number[], ...(Float64Array | (number | null)[])[]] {
    let below = new Float64Array(this.total.length);
    const sums = shown.map(
      (at) => (below = below.map((sum, i) => sum + (this.bytes[at]?.[i] ?? 0))),
    );
    const line = this.budgetLine;
    const budget = this.memory.budgetBytes === null ? [] : [this.points.x.map(() => line)];
    return [[...this.points.x], ...sums.toReversed(), ...budget];
  }

  describe(i: number): Description {
    const { size } = this.points;
    const isMove = (size[i] ?? 0) >= 0;
    const rows: TipRow[] = isMove ? [['', movedAt(this.points, i)]] : [];
    for (const at of STACK.toReversed()) {
      const held = this.bytes[at]?.[i] ?? 0;
      if (held !== 0) rows.push([`c${at}`, data.categories[at] ?? '', formatBytes(held)]);
    }
    const title = titleAt(this.points, i);
    return {
      title: hasManyRuns ? `${this.name}, ${title}` : title,
      rows: [...rows, ['', 'in all', formatBytes(this.total[i] ?? 0)]],
    };
  }
}

function bytesByCategory({ size, from, to, absolute }: MemoryPoints): Float64Array[] {
  const columns = data.categories.map(() => new Float64Array(size.length));
  let held = Float64Array.from(columns, () => 0);
  for (const [i, bytes] of size.entries()) {
    const known = absolute[i];
    if (known === undefined) {
      // The place after the last category, `free`, lies outside of the array: writing there does nothing.
      held[from[i]!]! -= bytes;
      held[to[i]!]! += bytes;
    } else held = Float64Array.from(known);
    for (const [at, column] of columns.entries()) column[i] = held[at] ?? 0;
  }
  return columns;
}

function titleAt({ step, phase, size }: MemoryPoints, i: number): string {
  const when = step[i] === 0 ? 'before step 1' : `step ${formatCount(step[i] ?? 0)}`;
  if (size[i] === ROW_BEGIN) return `${when}, when it began`;
  const inPhase = `${when}, ${data.phases[phase[i] ?? 0]}`;
  return size[i] === ROW_PEAK ? `${inPhase}: most in use` : inPhase;
}

function movedAt(points: MemoryPoints, i: number): string {
  const nameOf = (at = 0) => data.categories[at] ?? 'free';
  const [from, to] = [nameOf(points.from[i]), nameOf(points.to[i])];
  const size = formatBytes(points.size[i] ?? 0);
  if (from === 'free') return `${size} allocated: ${to}`;
  if (to === 'free') return `${size} freed: ${from}`;
  if (to === 'pool') return `${size} released, back to the pool: ${from}`;
  if (from === 'pool') return `${size} taken from the pool: ${to}`;
  return `${size} of ${from} counted as ${to} from now on`;
}
