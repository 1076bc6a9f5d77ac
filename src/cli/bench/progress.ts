// Progress of a benchmark, on stderr: a bar on a terminal, lines elsewhere.

import { formatClock } from '../../checks/quantities.js';
import { startBar, type TerminalBar } from '../terminal/terminal-bar.js';

export interface Progress {
  /** `what` begins, the `done`th from 0; `leftMs`: null where it would be a guess. */
  begin(done: number, what: string, leftMs: number | null): void;
  /** A part of it has ended. */
  note(result: string): void;
  end(what: string, result: string): void;
  stop(): void;
}

export function startProgress(total: number, signal: AbortSignal): Progress {
  const to = process.stderr;
  const leftText = (ms: number | null) =>
    ms === null ? [] : [`about ${formatClock(ms / 1000)} left`];
  if (!to.isTTY) {
    return {
      begin(done, what, leftMs) {
        const left = leftText(leftMs).map((text) => ` (${text})`);
        to.write(`  [${done + 1}/${total}] ${what} …${left.join('')}\n`);
      },
      note: (result) => void to.write(`      ${result}\n`),
      end: (_, result) => void to.write(`      ${result}\n`),
      stop() {},
    };
  }
  let bar: TerminalBar | null = null;
  const stop = () => {
    bar?.stop();
    bar = null;
  };
  return {
    begin(done, what, leftMs) {
      const details = [what, ...leftText(leftMs)].join(' · ');
      if (bar !== null) bar.update(done, details);
      else bar = startBar({ total, value: done, details, clears: true }, to, signal);
    },
    note() {},
    end(what, result) {
      stop();
      to.write(`  ${what}: ${result}\n`);
    },
    stop,
  };
}
