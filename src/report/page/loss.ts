// Loss curves of all runs, in one chart.

import uPlot from 'uplot';

import { formatCount } from '../../checks/quantities.js';
import { RUN_COLORS } from '../html.js';
import { Chart, type Range, stepAxis, type TipRow, valueAxis, Zoom } from './chart.js';
import {
  byId,
  color,
  data,
  hasManyRuns,
  panel,
  runClass,
  type Section,
  toggle,
  within,
} from './page.js';

const KINDS = [
  { kind: 'each', name: 'each batch' },
  { kind: 'mean', name: 'training, smoothed (fast weights)' },
  { kind: 'fast', name: 'test, fast weights' },
  { kind: 'slow', name: 'test, slow weights' },
] as const;

interface Curve {
  readonly run: number;
  readonly kind: (typeof KINDS)[number]['kind'];
  readonly name: string;
}

const CURVES: readonly Curve[] = data.runs.flatMap((_, run) =>
  KINDS.map(({ kind, name }) => ({ run, kind, name })),
);

type Column = (number | null | undefined)[];

/** Null where nothing is to be drawn, now or later. */
export function lossSection(): Section | null {
  const section = byId('loss');
  if (section.querySelector('.panels') === null) return null;
  const { plot } = panel(section);
  const toggles = within(section, '.toggles');
  const hiddenKinds = new Set<string>(hasManyRuns ? ['each'] : []);
  const hiddenRuns = new Set<number>();
  const isShown = ({ kind, run }: Curve) => !hiddenKinds.has(kind) && !hiddenRuns.has(run);
  const zoom = new Zoom();
  let [steps, columns]: [number[], Column[]] = [[], []];
  let chart: Chart | undefined;

  function load(): void {
    // Null: not finite. Undefined: the step of another curve.
    const joined = uPlot.join(CURVES.map(pointsOf));
    [steps, ...columns] = joined as [number[], ...Column[]];
    section.hidden = steps.length === 0;
    for (const [kind, button] of kindButtons) {
      button.hidden = !CURVES.some((curve) => {
        const [, values] = pointsOf(curve);
        return curve.kind === kind && values.some((value) => value !== null);
      });
    }
  }

  function describe(at: number) {
    const rows = CURVES.flatMap((curve, i): TipRow[] => {
      const value = isShown(curve) ? lastValue(columns[i] ?? [], at) : undefined;
      if (value === undefined) return [];
      const name = hasManyRuns ? `${data.runs[curve.run]?.name}, ${curve.name}` : curve.name;
      return [[classOf(curve), name, value === null ? 'not finite' : value.toPrecision(4)]];
    });
    return { title: `step ${formatCount(steps[at] ?? 0)}`, rows };
  }

  function extent(): Range {
    const [first = 0, last = first] = [steps[0], steps.at(-1)];
    return first === last ? [first - 1, last + 1] : [first, last];
  }

  function draw(): void {
    chart?.remove();
    chart = section.hidden
      ? undefined
      : new Chart(plot, {
          height: innerWidth < 520 ? 240 : 320,
          label: 'Loss by step',
          columns: [steps, ...columns],
          zoom,
          extent,
          describe,
          options: {
            scales: { y: { range: (_, min, max) => fromZero(min, max) } },
            axes: [stepAxis(), valueAxis('loss (nats)', 46)],
            series: [{}, ...CURVES.map((curve) => ({ ...styleOf(curve), show: isShown(curve) }))],
          },
        });
  }

  function update(): void {
    load();
    if (chart === undefined) draw();
    else chart.update([steps, ...columns]);
  }

  function hide<T>(hidden: Set<T>, one: T, isHidden: boolean): void {
    if (isHidden) hidden.add(one);
    else hidden.delete(one);
    draw();
  }
  const kindButtons = KINDS.map(({ kind, name }) => {
    const button = toggle(toggles, {
      text: name,
      swatch: `line ${kind}${hasManyRuns ? '' : ' one'}`,
      isPressed: !hiddenKinds.has(kind),
      change: (isPressed) => hide(hiddenKinds, kind, !isPressed),
    });
    return [kind, button] as const;
  });
  if (hasManyRuns) {
    for (const [run, { name }] of data.runs.entries()) {
      const change = (isPressed: boolean) => hide(hiddenRuns, run, !isPressed);
      toggle(toggles, { text: name, swatch: runClass(run), isPressed: true, change });
    }
  }
  load();
  return { draw, update };
}

function pointsOf({ run, kind }: Curve): [number[], (number | null)[]] {
  const found = data.runs[run];
  if (found === undefined) return [[], []];
  const { loss, validation } = found;
  return kind === 'fast' || kind === 'slow'
    ? [[...validation.step], [...validation[kind]]]
    : [[...loss.step], [...loss[kind]]];
}

/** The value at `at`, or else the one before it. */
function lastValue(column: Column, at: number): number | null | undefined {
  return column.slice(0, at + 1).findLast((value) => value !== undefined);
}

function classOf({ run, kind }: Curve): string {
  if (hasManyRuns) return runClass(run);
  return kind === 'slow' ? 'run1' : 'run0';
}

function styleOf(curve: Curve): uPlot.Series {
  const { kind, run } = curve;
  const stroke = color(`--${classOf(curve)}`);
  const few = { show: (u: uPlot) => u.data[0].length < 3 };
  const points = (fill: string) => ({ show: true, size: 8, width: 2, stroke, fill });
  switch (kind) {
    case 'each':
      return { stroke: hasManyRuns ? `${stroke}66` : color('--raw'), width: 1, points: few };
    case 'mean':
      return { stroke, width: 2, points: few, ...(run < RUN_COLORS ? {} : { dash: [8, 3] }) };
    case 'fast':
      return { stroke, width: 1.5, dash: [3, 4], points: points(color('--card')) };
    case 'slow':
      return { stroke, width: 1.5, dash: [9, 4], points: points(stroke) };
  }
}

/** From zero, because losses have one; a little air above the highest value. */
function fromZero(min: number, max: number): Range {
  return max > 0 ? [Math.min(0, min), max * 1.05] : [0, 1];
}
