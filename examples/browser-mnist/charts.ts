// Charts that grow while a run goes on, in the colours and the width of the page.

import uPlot from 'uplot';

import { formatBytes } from './format.js';

/** From the bottom of the stack: what stays long lies below what comes and goes. */
export const CATEGORIES = [
  'weights',
  'moments',
  'gradients',
  'activations',
  'staging',
  'pool',
] as const;

type Colour = (name: string) => string;
type Parts = Pick<uPlot.Options, 'series' | 'scales'> & { yAxis: uPlot.Axis };

export class LiveChart {
  readonly #place: HTMLElement;
  readonly #parts: (colour: Colour) => Parts;
  #data: uPlot.AlignedData;
  #plot: uPlot;

  constructor(place: HTMLElement, parts: (colour: Colour) => Parts) {
    this.#place = place;
    this.#parts = parts;
    this.#data = parts(() => '').series.map(() => []) as unknown as uPlot.AlignedData;
    this.#plot = this.#draw();
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#plot.destroy();
      this.#plot = this.#draw();
    });
  }

  set(data: uPlot.AlignedData): void {
    this.#data = data;
    this.#plot.setData(data);
  }

  #draw(): uPlot {
    const style = getComputedStyle(document.documentElement);
    const colour: Colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const { yAxis, series, scales } = this.#parts(colour);
    const axis: uPlot.Axis = {
      stroke: colour('soft'),
      font: `12px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: colour('line'), width: 1 },
      ticks: { show: false },
    };
    const options: uPlot.Options = {
      ...this.#size(),
      padding: [10, 16, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: { x: { time: false, range: (_, min, max) => wide(min, max) }, ...scales },
      axes: [
        { ...axis, size: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5] },
        { ...axis, size: 52, ...yAxis },
      ],
      series,
    };
    return new uPlot(options, this.#data, this.#place);
  }

  #size(): { width: number; height: number } {
    return { width: this.#place.clientWidth, height: this.#place.clientHeight };
  }
}

export function lossChart(place: HTMLElement): LiveChart {
  return new LiveChart(place, (colour) => ({
    yAxis: {},
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 2.5] } },
    series: [
      {},
      { stroke: colour('raw'), width: 1, points: { show: false } },
      { stroke: colour('mean'), width: 2.5, points: { show: false } },
    ],
  }));
}

export function accuracyChart(place: HTMLElement): LiveChart {
  return new LiveChart(place, (colour) => {
    const points = (fill: string) => ({ show: true, size: 7, fill, stroke: fill });
    return {
      yAxis: { values: (_, values) => values.map((value) => `${+(100 * value).toFixed(2)} %`) },
      scales: { y: { range: (_, min) => [floorOf(min), 1] } },
      series: [
        {},
        { stroke: colour('raw'), width: 2, points: points(colour('raw')) },
        { stroke: colour('mean'), width: 2.5, points: points(colour('mean')) },
      ],
    };
  });
}

/** Stacked: each series reaches from zero to the sum of its category and those below it. */
export function memoryChart(place: HTMLElement): LiveChart {
  return new LiveChart(place, (colour) => ({
    yAxis: {
      size: 72,
      values: (_, values) => values.map((value) => formatBytes(value)),
      // Powers of two of a byte, so that labels are round.
      incrs: Array.from({ length: 40 }, (_, power) => 2 ** power),
    },
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 2 ** 20] } },
    series: [
      {},
      { stroke: colour('soft'), width: 2, dash: [6, 4], points: { show: false } },
      ...CATEGORIES.toReversed().map((category) => ({
        stroke: colour('card'), // a thin gap between neighbours
        width: 1,
        fill: colour(category),
        points: { show: false },
      })),
    ],
  }));
}

function floorOf(min: number | null): number {
  return min === null || !Number.isFinite(min) ? 0 : Math.max(0, Math.floor(min * 10 - 0.2) / 10);
}

/** Even with a single value a scale needs a length. */
function wide(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1];
  return min === max ? [min - 1, max + 1] : [min, max];
}
