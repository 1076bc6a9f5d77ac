// The stacked memory timeline of each run, all on the same axes.

import uPlot from 'uplot';

import { bytesAxis, Chart, type Range, stepAxis, Zoom } from './chart.js';
import { MemoryRun, STACK } from './memory-run.js';
import { color, data, hasManyRuns, type Section, toggle, within } from './page.js';

const STEPS_OF_A_VIEW = 6;

/** With more points than this, several share a pixel when all of them are in view. */
const DENSE_POINTS = 3000;

/** Null where no run has a timeline. */
export function memorySection(): Section | null {
  const section = document.getElementById('memory');
  if (section === null) return null;
  const runs = [...data.runs.entries()]
    .filter(([, { memory }]) => memory !== null)
    .map(([at]) => new MemoryRun(section, at));
  const shown = new Set(STACK);
  const shownStack = () => STACK.filter((at) => shown.has(at));
  let [top, end, firstEnds, lastBegins] = [1, 1, 0, 1];

  function load(): void {
    for (const run of runs) run.load();
    const mostBytes = most(runs.map(({ total }) => most(total)));
    end = Math.max(1, ...runs.map(({ points }) => points.x.at(-1) ?? 0));
    firstEnds = Math.max(...runs.map(({ points }) => points.firstEnds ?? 0));
    lastBegins = Math.min(
      ...runs.map(({ points }) => points.lastBegins ?? points.firstEnds ?? end),
    );
    for (const run of runs) run.showBudget(mostBytes);
    top = Math.max(mostBytes, ...runs.map(({ budgetLine }) => budgetLine ?? 0));
    section!.hidden = runs.every(({ total }) => total.length === 0);
    for (const { button, isThere } of views) button.hidden = !isThere();
    const [whole, ...parts] = views;
    if (whole !== undefined) whole.button.hidden = parts.every(({ button }) => button.hidden);
    for (const [at, button] of toggles)
      button.hidden = runs.every(({ bytes }) => bytes[at]?.every((held) => held === 0) ?? true);
  }

  function draw(): void {
    for (const run of runs) {
      run.chart?.remove();
      if (section!.hidden) continue;
      run.chart = new Chart(run.plot, {
        height: hasManyRuns ? 200 : 320,
        label: `Device memory${hasManyRuns ? ` of ${run.name}` : ''}`,
        columns: run.columns(shownStack()),
        zoom,
        extent: () => [0, end],
        describe: (i) => run.describe(i),
        options: {
          cursor: { sync: { key: 'memory', scales: ['x', null] } },
          scales: { y: { range: () => [0, top * 1.05 || 1] } },
          axes: [stepAxis(), bytesAxis()],
          series: [{}, ...seriesOf(run, shownStack())],
          draw: (u) => fadeGap(u, run.gap),
        },
      });
    }
  }

  function update(): void {
    load();
    if (runs.some(({ chart }) => chart === undefined)) draw();
    else for (const run of runs) run.chart?.update(run.columns(shownStack()));
  }

  const zoom = new Zoom(() => {
    for (const { button, range } of views)
      button.setAttribute('aria-pressed', String(zoom.range === range));
  });
  function view(text: string, range: (() => Range) | null, isThere: () => boolean) {
    const isPressed = range === null;
    const change = () => zoom.to(range);
    const button = toggle(within(section!, '.views'), { text, isPressed, change });
    return { button, range, isThere };
  }
  const lastSteps = () => Math.max(Math.min(lastBegins, end - 1), end - STEPS_OF_A_VIEW);
  const views = [
    view('Whole run', null, () => true),
    view(
      'First steps',
      () => [0, Math.min(firstEnds, STEPS_OF_A_VIEW + 1)],
      () => end > STEPS_OF_A_VIEW + 1 && firstEnds > 0,
    ),
    view(
      'Last steps',
      () => [Math.floor(lastSteps()), end],
      () => end > 2 * STEPS_OF_A_VIEW,
    ),
  ];
  const toggles = STACK.map((at) => {
    const change = (isPressed: boolean) => {
      if (isPressed) shown.add(at);
      else shown.delete(at);
      draw();
    };
    const text = data.categories[at] ?? '';
    const options = { text, swatch: `c${at}`, isPressed: true, change };
    return [at, toggle(within(section, '.toggles'), options)] as const;
  });
  load();
  return { draw, update };
}

function most(values: Iterable<number>): number {
  let found = 0;
  for (const value of values) found = Math.max(found, value);
  return found;
}

function seriesOf(run: MemoryRun, shown: readonly number[]): uPlot.Series[] {
  // Unrounded and without edges: of many moves within one pixel only the last would be seen.
  const isDense = run.total.length > DENSE_POINTS;
  const edges = isDense ? { width: 0, pxAlign: 0 } : { stroke: color('--card'), width: 0.5 };
  const paths = uPlot.paths.stepped?.({ align: 1 });
  const points = { show: false };
  const stacked = shown.toReversed().map((at): uPlot.Series => ({
    fill: color(`--c${at}`),
    ...edges,
    ...(paths === undefined ? {} : { paths }),
    points,
  }));
  const budget = { stroke: color('--ink'), width: 1.5, dash: [6, 4], points };
  return run.memory.budgetBytes === null ? stacked : [...stacked, budget];
}

/** A peak in the gap must not look like bytes that were there all the time. */
function fadeGap(u: uPlot, gap: Range | null): void {
  if (gap === null) return;
  const min = u.scales['x']?.min ?? 0;
  const max = u.scales['x']?.max ?? 0;
  const pixelOf = (x: number) => u.valToPos(Math.min(max, Math.max(min, x)), 'x', true);
  const [from, to] = [pixelOf(gap[0]), pixelOf(gap[1])];
  u.ctx.save();
  u.ctx.fillStyle = `${color('--card')}66`;
  u.ctx.fillRect(from, u.bbox.top, to - from, u.bbox.height);
  u.ctx.restore();
}
