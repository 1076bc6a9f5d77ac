// How training goes, on stderr: a bar on a terminal, a plain line every few seconds elsewhere.

import { SingleBar } from 'cli-progress';

const PLAIN_LINE_EVERY_MS = 3000;

export interface ProgressState {
  readonly step: number;
  readonly smoothedLoss: number;
  readonly elapsedMs: number;
  /** Of the last sync; undefined without Lookahead. */
  readonly lastSyncMs: number | undefined;
}

export interface Progress {
  update(state: ProgressState): void;
  /** Leaves the cursor on a line of its own. */
  stop(): void;
}

export function startProgress(steps: number, to: NodeJS.WriteStream): Progress {
  return to.isTTY ? progressBar(steps, to) : progressLines(steps, to);
}

function progressBar(steps: number, to: NodeJS.WriteStream): Progress {
  const bar = new SingleBar({
    format: '  {bar} {value}/{total} · {details}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 12, // the line fits into 80 columns,
    hideCursor: true,
    fps: 8,
    stream: to,
    gracefulExit: false, // Ctrl-C is ours
  });
  bar.start(steps, 0, { details: 'first step' });
  return {
    update: (state) => bar.update(state.step, { details: describe(state, steps) }),
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
    `ETA ${clock((steps - state.step) / stepsPerSecond)}`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

/** `1:05`, `2:00:07`. */
function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}
