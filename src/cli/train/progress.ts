// Shows progress on stderr: a bar on a terminal, otherwise a plain line every few seconds.

import { formatClock } from '../../checks/quantities.js';
import { startBar } from '../terminal/terminal-bar.js';

const PLAIN_LINE_EVERY_MS = 3000;

export interface ProgressState {
  readonly step: number;
  readonly smoothedLoss: number;
  readonly elapsedMs: number;
  /** Time of the last sync; undefined before the first one and without Lookahead. */
  readonly lastSyncMs: number | undefined;
}

export interface Progress {
  update(state: ProgressState): void;
  /** Leaves the cursor on a line of its own. */
  stop(): void;
}

/** Once `signal` is aborted, the process may be ended from outside at any time. */
export function startProgress(
  steps: number,
  to: NodeJS.WriteStream,
  signal: AbortSignal,
): Progress {
  return to.isTTY ? progressBar(steps, to, signal) : progressLines(steps, to);
}

function progressBar(steps: number, to: NodeJS.WriteStream, signal: AbortSignal): Progress {
  const bar = startBar({ total: steps, details: 'first step' }, to, signal);
  return {
    update: (state) => bar.update(state.step, describe(state, steps)),
    stop: () => bar.stop(),
  };
}

function progressLines(steps: number, to: NodeJS.WriteStream): Progress {
  let lastMs = -Infinity;
  return {
    update(state) {
      if (state.elapsedMs - lastMs < PLAIN_LINE_EVERY_MS && state.step < steps) return;
      lastMs = state.elapsedMs;
      to.write(`  step ${state.step}/${steps} · ${describe(state, steps)}\n`);
    },
    stop: () => {},
  };
}

function describe(state: ProgressState, steps: number): string {
  const stepsPerSecond = (1000 * state.step) / state.elapsedMs;
  const parts = [
    `loss ${state.smoothedLoss.toFixed(4)}`,
    `${stepsPerSecond.toPrecision(3)} steps/s`,
    state.lastSyncMs === undefined ? '' : `sync ${state.lastSyncMs.toFixed(1)} ms`,
    `ETA ${formatClock((steps - state.step) / stepsPerSecond)}`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}
