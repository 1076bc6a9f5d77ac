// Turns a timeline into the points of a chart over steps. Recorded moves are spread evenly over their step; where moves
// were not kept, each row of steps gives two points. Step 0 is the time before the first step.

import { applyMove, type Move, moveColumns } from '../meter/move-log.js';
import type { MoveColumns, TimelineData } from '../meter/timeline-data.js';

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

const nothing = () => ({
  x: [] as number[],
  step: [] as number[],
  phase: [] as number[],
  from: [] as number[],
  to: [] as number[],
  size: [] as number[],
  absolute: {} as Record<number, readonly number[]>,
});
type Building = ReturnType<typeof nothing>;

interface Moves {
  /** Bytes by category before the first move. */
  readonly start: readonly number[];
  readonly list: readonly Move[];
}

export function memoryPoints(timeline: TimelineData): MemoryPoints {
  const points = nothing();
  let first = movesOf(timeline.first);
  let last = timeline.last === null ? null : movesOf(timeline.last);
  const isGapless = last !== null && first.list.length + last.list.length === timeline.moves;
  if (last !== null && isGapless) {
    first = { start: first.start, list: [...first.list, ...last.list] };
    last = null;
  } else if (timeline.last !== null) {
    // The steps that were cut in the middle, at the end of `first` and the begin of `last`, are shown by their rows.
    first = withoutLastStep(first);
    if (last !== null) last = withoutFirstStep(last);
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
    start,
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

function withoutFirstStep(moves: Moves): Moves {
  const first = moves.list[0]?.step;
  const cut = moves.list.findIndex(({ step }) => step !== first);
  return cut < 0 ? moves : movesFrom(moves, cut);
}

function movesFrom({ start, list }: Moves, cut: number): Moves {
  const held = Float64Array.from(start);
  for (const move of list.slice(0, cut)) applyMove(held, move);
  return { start: [...held], list: list.slice(cut) };
}

/**
 * `timeline` with at most `kept` of its last moves. Its rows still contain the others. A live page gets its data again
 * and again, so it gets fewer moves of a long timeline.
 */
export function withRecentMoves(timeline: TimelineData, kept: number): TimelineData {
  const { last } = timeline;
  if (last === null || last.step.length <= kept) return timeline;
  const { start, list } = movesFrom(movesOf(last), last.step.length - kept);
  return { ...timeline, last: moveColumns(start, list) };
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

function add(points: Building, x: number, { step, phase, from, to, bytes }: Move): void {
  // A row may begin before the moves next to it end, but x must not decrease.
  points.x.push(Math.max(Math.round(x * 1e4) / 1e4, points.x.at(-1) ?? 0));
  points.step.push(step);
  points.phase.push(phase);
  points.from.push(from);
  points.to.push(to);
  points.size.push(bytes);
}
