// A chart of the report: uPlot draws it, mouse and keyboard read it, and its data can change at any time.

import uPlot from 'uplot';

import { formatBytes } from '../../checks/quantities.js';
import { color, element, swatch, within } from './page.js';

function axis(label: string, size: number, more: uPlot.Axis = {}): uPlot.Axis {
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return {
    stroke: color('--soft'),
    font,
    labelFont: font,
    labelSize: 20,
    label,
    size,
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    ...more,
  };
}

const DECIMAL = Array.from({ length: 8 }, (_, power) =>
  [1, 2, 5].map((digit) => digit * 10 ** power),
).flat();
const BINARY = Array.from({ length: 44 }, (_, power) => 2 ** power);

export const stepAxis = () => axis('step', 26, { incrs: DECIMAL });
export const bytesAxis = () =>
  axis('bytes', 62, { incrs: BINARY, values: (_, all) => all.map(formatBytes) });
export const valueAxis = axis;

export type Range = [from: number, to: number];

/** The part of the x axis that charts show. It outlives a chart that is drawn again or gets other data. */
export class Zoom {
  readonly charts = new Set<uPlot>();
  readonly #changed: () => void;
  #range: (() => Range) | null = null;

  constructor(changed: () => void = () => {}) {
    this.#changed = changed;
  }

  /** Null: all of it. */
  get range(): (() => Range) | null {
    return this.#range;
  }

  to(range: (() => Range) | null): void {
    this.#range = range;
    for (const u of this.charts) u.redraw();
    this.#changed();
  }
}

/** `swatch` is a class, or empty. */
export type TipRow = readonly [swatch: string, name: string, value?: string];

/** What a chart says of one point. */
export interface Description {
  readonly title: string;
  readonly rows: readonly TipRow[];
}

export interface ChartSpec {
  readonly height: number;
  readonly label: string;
  readonly columns: uPlot.AlignedData;
  readonly zoom: Zoom;
  /** All of the x axis. */
  readonly extent: () => Range;
  readonly describe: (at: number) => Description;
  readonly options: Pick<uPlot.Options, 'axes' | 'cursor' | 'scales' | 'series'> & {
    readonly draw?: (u: uPlot) => void;
  };
}

/** The point that the keyboard is at. Several may lie on one pixel, where uPlot would take another one. */
let chosen: { readonly u: uPlot; readonly at: number } | null = null;

const chosenIn = (u: uPlot) => (chosen?.u === u ? chosen.at : undefined);
const xAt = (u: uPlot, at: number) => u.data[0][at] ?? 0;

export class Chart {
  readonly #plot: uPlot;
  readonly #place: HTMLElement;
  readonly #spec: ChartSpec;
  readonly #tip = element('div', 'tip');
  readonly #observer: ResizeObserver;

  constructor(place: HTMLElement, spec: ChartSpec) {
    this.#place = place;
    this.#spec = spec;
    const u = new uPlot(this.#options(), spec.columns, place);
    this.#plot = u;
    spec.zoom.charts.add(u);
    this.#tip.hidden = true;
    u.over.append(this.#tip);
    u.over.addEventListener('dblclick', () => spec.zoom.to(null));
    u.root.tabIndex = 0;
    u.root.setAttribute('role', 'group');
    u.root.setAttribute('aria-label', `${spec.label}. Arrow keys go from point to point.`);
    u.root.addEventListener('keydown', (event) => this.#press(event));
    u.root.addEventListener('mousemove', () => (chosen = null));
    this.#observer = new ResizeObserver(() => u.setSize(this.#size()));
    this.#observer.observe(place);
  }

  /** Shows other data. Zoom, focus, and the chosen point stay. */
  update(columns: uPlot.AlignedData): void {
    const u = this.#plot;
    const at = chosenIn(u);
    const x = at === undefined ? undefined : xAt(u, at);
    u.batch(() => {
      u.setData(columns, false);
      u.redraw();
    });
    const { left = -1, top = -1 } = u.cursor;
    if (x !== undefined) {
      this.#choose(
        Math.max(
          0,
          Array.from(columns[0]).findLastIndex((value) => value <= x),
        ),
      );
    } else if (left >= 0) u.setCursor({ left, top });
  }

  remove(): void {
    if (chosenIn(this.#plot) !== undefined) chosen = null;
    this.#spec.zoom.charts.delete(this.#plot);
    this.#observer.disconnect();
    this.#plot.destroy();
  }

  #size() {
    return { width: Math.max(120, this.#place.clientWidth), height: this.#spec.height };
  }

  #options(): uPlot.Options {
    const { zoom, extent, options } = this.#spec;
    const { draw, cursor, scales, ...others } = options;
    return {
      padding: [10, 24, 0, 0],
      legend: { show: false },
      ...others,
      ...this.#size(),
      scales: { x: { time: false, range: () => zoom.range?.() ?? extent() }, ...scales },
      cursor: {
        points: { show: false },
        drag: { x: true, y: false, uni: 8, setScale: false },
        ...cursor,
      },
      hooks: {
        ...(draw === undefined ? {} : { draw: [draw] }),
        setCursor: [(u) => this.#point(u)],
        setSelect: [(u) => this.#select(u)],
      },
    };
  }

  #point(u: uPlot): void {
    const { left = -1, idx } = u.cursor;
    this.#tell(u, chosenIn(u) ?? (left < 0 ? null : idx));
  }

  #select(u: uPlot): void {
    const { left, width } = u.select;
    if (width < 3) return;
    const range: Range = [u.posToVal(left, 'x'), u.posToVal(left + width, 'x')];
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.#spec.zoom.to(() => range);
  }

  /** Shows the tip of a point, if there is one; returns what it says. */
  #tell(u: uPlot, at: number | null | undefined): Description | null {
    const tip = this.#tip;
    tip.hidden = at === null || at === undefined || at >= u.data[0].length;
    if (tip.hidden || at === null || at === undefined) return null;
    const told = this.#spec.describe(at);
    tip.replaceChildren(element('strong', '', told.title));
    for (const [className, name, value = ''] of told.rows) {
      const row = element('div');
      if (className !== '') row.append(swatch(className));
      row.append(element('span', 'name', name), element('span', 'value', value));
      tip.append(row);
    }
    const left = u.valToPos(xAt(u, at), 'x');
    const isRight = left > u.over.clientWidth / 2;
    tip.style.left = isRight ? '' : `${left + 14}px`;
    tip.style.right = isRight ? `${u.over.clientWidth - left + 14}px` : '';
    return told;
  }

  #choose(at: number): void {
    const u = this.#plot;
    chosen = { u, at };
    u.setCursor({ left: u.valToPos(xAt(u, at), 'x'), top: u.over.clientHeight / 2 });
  }

  #press(event: KeyboardEvent): void {
    const u = this.#plot;
    if (event.key === 'Escape') {
      chosen = null;
      u.setCursor({ left: -10, top: -10 });
      return;
    }
    const { min = 0, max = 0 } = u.scales['x'] ?? {};
    const xs = Array.from(u.data[0]);
    const first = xs.findIndex((x) => x >= (min ?? 0));
    const last = xs.findLastIndex((x) => x <= (max ?? 0));
    const at = chosenIn(u) ?? u.cursor.idx ?? first;
    const targets: Readonly<Record<string, number>> = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      PageDown: at + 20,
      PageUp: at - 20,
      Home: first,
      End: last,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    if (last < first) return; // nothing was recorded in the part that is shown
    const reached = Math.min(last, Math.max(first, target));
    this.#choose(reached);
    const told = this.#tell(u, reached);
    if (told === null) return;
    const all = told.rows.map(([, name, value]) => (value ? `${name} ${value}` : name)).join(', ');
    const section = this.#place.closest('section');
    if (section !== null) within(section, '.read').textContent = `${told.title}: ${all}`;
  }
}
