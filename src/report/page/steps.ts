// How long each step took and how much of that its sync took, as bars; one strip per run, all on the same axes.

import uPlot from 'uplot';

import { formatCount, formatMs } from '../../checks/quantities.js';
import type { StepTimes } from '../../records/step-times.js';
import { Chart, type Description, stepAxis, type TipRow, valueAxis, Zoom } from './chart.js';
import { color, data, hasManyRuns, runPanel, type Section } from './page.js';

interface TimedRun {
  readonly at: number;
  readonly name: string;
  readonly plot: HTMLElement;
  readonly zoom: Zoom;
  chart?: Chart;
}

/** Null where no step was timed. */
export function stepsSection(): Section | null {
  const section = document.getElementById('times');
  if (section === null) return null;
  const runs = [...data.runs.entries()]
    .filter(([, { times }]) => !hasManyRuns || times.ms.length > 0)
    .map(([at, { name }]): TimedRun => {
      return { at, name, plot: runPanel(section, name, at).plot, zoom: new Zoom() };
    });
  let [top, end] = [1, 1];

  function load(): void {
    const all = runs.flatMap((run) => timesOf(run).ms).toSorted((a, b) => a - b);
    // A first step takes far longer than the others, so the scale is that of most.
    top = Math.max(0.1, 1.25 * (all[Math.floor(0.97 * (all.length - 1))] ?? 1));
    end = Math.max(1, ...runs.map((run) => stepsIn(timesOf(run))));
    section!.hidden = all.length === 0;
  }

  function draw(): void {
    const paths = uPlot.paths.bars?.({ size: [0.9, 60], align: 0 });
    for (const run of runs) {
      run.chart?.remove();
      if (section!.hidden) continue;
      const bar = (fill: string): uPlot.Series => ({
        fill,
        width: 0,
        points: { show: false },
        ...(paths === undefined ? {} : { paths }),
      });
      run.chart = new Chart(run.plot, {
        height: hasManyRuns ? 130 : 180,
        label: `Milliseconds of each step${hasManyRuns ? ` of ${run.name}` : ''}`,
        columns: columnsOf(timesOf(run)),
        zoom: run.zoom,
        extent: () => [0.5, end + 0.5],
        describe: (i) => describe(run, i),
        options: {
          scales: { y: { range: () => [0, top] } },
          axes: [stepAxis(), valueAxis('ms', 62)],
          series: [{}, bar(color('--sync')), bar(color('--compute'))],
          draw: (u) => markSyncs(u, timesOf(run)),
        },
      });
    }
  }

  function update(): void {
    load();
    if (runs.some(({ chart }) => chart === undefined)) draw();
    else for (const run of runs) run.chart?.update(columnsOf(timesOf(run)));
  }

  load();
  return { draw, update };
}

function timesOf({ at, name }: { at: number; name: string }): StepTimes {
  const { times } = data.runs[at] ?? {};
  if (times === undefined) throw new Error(`${name} has no times.`);
  return times;
}

function stepsInRow({ ms, stepsPerRow, stepsInLastRow }: StepTimes, row: number): number {
  return row === ms.length - 1 ? stepsInLastRow : stepsPerRow;
}

function stepsIn({ ms, stepsPerRow, stepsInLastRow }: StepTimes): number {
  return ms.length === 0 ? 0 : (ms.length - 1) * stepsPerRow + stepsInLastRow;
}

/** The middle of each row, its mean time, and that without syncs. */
function columnsOf(times: StepTimes): [number[], number[], number[]] {
  const { ms, stepsPerRow, syncMs } = times;
  return [
    ms.map((_, i) => i * stepsPerRow + (stepsInRow(times, i) + 1) / 2),
    [...ms],
    ms.map((mean, i) => Math.max(0, mean - (syncMs[i] ?? 0) / stepsInRow(times, i))),
  ];
}

function describe(run: TimedRun, i: number): Description {
  const times = timesOf(run);
  const from = i * times.stepsPerRow + 1;
  const steps = stepsInRow(times, i);
  const which =
    steps === 1
      ? `step ${formatCount(from)}`
      : `steps ${formatCount(from)}–${formatCount(from + steps - 1)}`;
  const msAt = (column: readonly number[]) => withoutZeros(formatMs(column[i] ?? 0));
  const rows: TipRow[] = [['compute', steps === 1 ? 'took' : 'mean', msAt(times.ms)]];
  if (steps > 1) rows.push(['', 'slowest', msAt(times.slowestMs)]);
  const syncs = times.syncs[i] ?? 0;
  if (syncs > 0) {
    rows.push(['sync', syncs === 1 ? 'sync' : `${formatCount(syncs)} syncs`, msAt(times.syncMs)]);
    for (const [phase, column] of Object.entries(times.syncPhases)) {
      if ((column[i] ?? 0) > 0) rows.push(['', `· ${phase}`, msAt(column)]);
    }
  }
  return { title: hasManyRuns ? `${run.name}, ${which}` : which, rows };
}

/** `10 ms` of `10.0 ms`, which tables have because their digits stand below each other. */
function withoutZeros(time: string): string {
  return time.replace(/(\.\d*?)0+ /, '$1 ').replace('. ', ' ');
}

/** A small triangle over each row with a sync, as long as they do not touch. */
function markSyncs(u: uPlot, times: StepTimes): void {
  const [middles] = columnsOf(times);
  const marked = middles.filter((_, i) => (times.syncs[i] ?? 0) > 0);
  if (marked.length === 0 || u.bbox.width / marked.length < 5 * devicePixelRatio) return;
  const half = 3 * devicePixelRatio;
  const { ctx } = u;
  ctx.save();
  ctx.fillStyle = color('--sync');
  for (const x of marked) {
    const left = u.valToPos(x, 'x', true);
    ctx.beginPath();
    ctx.moveTo(left - half, u.bbox.top);
    ctx.lineTo(left + half, u.bbox.top);
    ctx.lineTo(left, u.bbox.top + 2 * half);
    ctx.fill();
  }
  ctx.restore();
}
