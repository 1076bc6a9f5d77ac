// Turns a timeline into the points of a chart over steps. Recorded moves are spread evenly over their step; where moves
// were not kept, each row of steps gives two points. Step 0 is the time before the first step.

import type { MoveColumns } from '../meter/timeline-data.js';
import type { TimelineData } from '../meter/timeline-data.js';

/** Columns with one entry per point. */
export interface MemoryPoints {
  readonly x: readonly number[];
  readonly step: readonly number[];
  readonly phase: readonly number[];
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Bytes moved; ROW_BEGIN or ROW_PEAK for a point that is no move. */
  readonly size: readonly number[];
  /** Bytes by category at the points that do not follow from the previous one by a move. Keys are indices of points. */
  readonly absolute: Readonly<Record<number, readonly number[]>>;
  /** x where the first recorded moves end, and where the last ones begin. */
  readonly firstEnds: number | null;
  readonly lastBegins: number | null;
}

/** The state when the first step of a row began. */
export const ROW_BEGIN = -1;
/** The peak of a row of steps. */
export const ROW_PEAK = -2;

interface Building {
  readonly x: number[];
  readonly step: number[];
  readonly phase: number[];
  readonly from: number[];
  readonly to: number[];
  readonly size: number[];
  readonly absolute: Record<number, readonly number[]>;
}

interface Moves {
  /** Bytes by category before the first move. */
  readonly start: number[];
  readonly list: readonly {
    step: number;
    phase: number;
    from: number;
    to: number;
    bytes: number;
  }[];
}

export function memoryPoints(timeline: TimelineData): MemoryPoints {
  const points: Building = { x: [], step: [], phase: [], from: [], to: [], size: [], absolute: {} };
  const categories = timeline.categories.length;
  let first = movesOf(timeline.first);
  let last = timeline.last === null ? null : movesOf(timeline.last);
  const isGapless = last !== null && first.list.length + last.list.length === timeline.moves;
  if (last !== null && isGapless) {
    first = { start: first.start, list: [...first.list, ...last.list] };
    last = null;
  } else if (timeline.last !== null) {
    // The steps that were cut in the middle, at the end of `first` and the begin of `last`, are shown by their rows.
    first = withoutLastStep(first);
    if (last !== null) last = withoutFirstStep(last, categories);
  }
  const end = first.list.at(-1)?.step ?? -1;
  const begin = last?.list[0]?.step ?? Infinity;
  addMoves(points, first);
  addRows(points, timeline, (step) => step > end && step < begin);
  if (last !== null) addMoves(points, last);
  return {
    ...points,
    firstEnds: end < 0 ? null : end + 1,
    lastBegins: Number.isFinite(begin) ? begin : null,
  };
}

function movesOf({ start, step, phase, from, to, bytes }: MoveColumns): Moves {
  return {
    start: [...start],
    list: step.map((at, i) => ({
      step: at,
      phase: phase[i] ?? 0,
      from: from[i] ?? 0,
      to: to[i] ?? 0,
      bytes: bytes[i] ?? 0,
    })),
  };
}

function withoutLastStep({ start, list }: Moves): Moves {
  const last = list.at(-1)?.step;
  const kept = list.filter(({ step }) => step !== last);
  return { start, list: kept.length === 0 ? list : kept };
}

function withoutFirstStep({ start, list }: Moves, categories: number): Moves {
  const first = list[0]?.step;
  const kept = list.filter(({ step }) => step !== first);
  if (kept.length === 0) return { start, list };
  const held = [...start];
  for (const { from, to, bytes } of list.slice(0, list.length - kept.length)) {
    if (from < categories) held[from] = (held[from] ?? 0) - bytes;
    if (to < categories) held[to] = (held[to] ?? 0) + bytes;
  }
  return { start: held, list: kept };
}

function addMoves(points: Building, { start, list }: Moves): void {
  const counts = new Map<number, number>();
  for (const { step } of list) counts.set(step, (counts.get(step) ?? 0) + 1);
  let [step, at] = [-1, 0];
  for (const [i, move] of list.entries()) {
    if (i === 0) {
      points.absolute[points.x.length] = start;
      add(points, move.step, { ...move, bytes: ROW_BEGIN });
    }
    if (move.step !== step) [step, at] = [move.step, 0];
    at += 1;
    add(points, step + at / ((counts.get(step) ?? 1) + 1), move);
  }
}

function addRows(
  points: Building,
  { steps }: TimelineData,
  isMeant: (step: number) => boolean,
): void {
  for (const [row, step] of steps.step.entries()) {
    const phase = steps.peakPhase[row] ?? 0;
    const peakStep = steps.peakStep[row] ?? step;
    const at = (columns: readonly (readonly number[])[]) =>
      columns.map((column) => column[row] ?? 0);
    if (isMeant(step)) {
      points.absolute[points.x.length] = at(steps.begin);
      add(points, step, { step, phase, from: 0, to: 0, bytes: ROW_BEGIN });
    }
    if (isMeant(peakStep)) {
      points.absolute[points.x.length] = at(steps.peak);
      add(points, peakStep + 0.5, { step: peakStep, phase, from: 0, to: 0, bytes: ROW_PEAK });
    }
  }
}

function add(
  points: Building,
  x: number,
  {
    step,
    phase,
    from,
    to,
    bytes,
  }: { step: number; phase: number; from: number; to: number; bytes: number },
): void {
  // A row may begin before the moves next to it end, but x must not decrease.
  points.x.push(Math.max(Math.round(x * 1e4) / 1e4, points.x.at(-1) ?? 0));
  points.step.push(step);
  points.phase.push(phase);
  points.from.push(from);
  points.to.push(to);
  points.size.push(bytes);
}
