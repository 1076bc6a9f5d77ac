// A live page gets its data again and again, so it gets fewer of the last moves of a long timeline.

import { applyMove } from '../meter/move-log.js';
import type { TimelineData } from '../meter/timeline-data.js';

/** `timeline` with at most `kept` of its last moves. Its rows still contain the others. */
export function withRecentMoves(timeline: TimelineData, kept: number): TimelineData {
  const { last } = timeline;
  if (last === null || last.step.length <= kept) return timeline;
  const cut = last.step.length - kept;
  const start = Float64Array.from(last.start);
  for (let i = 0; i < cut; i++) {
    applyMove(start, {
      step: last.step[i] ?? 0,
      phase: last.phase[i] ?? 0,
      from: last.from[i] ?? 0,
      to: last.to[i] ?? 0,
      bytes: last.bytes[i] ?? 0,
    });
  }
  return {
    ...timeline,
    last: {
      start: [...start],
      step: last.step.slice(cut),
      phase: last.phase.slice(cut),
      from: last.from.slice(cut),
      to: last.to.slice(cut),
      bytes: last.bytes.slice(cut),
    },
  };
}
