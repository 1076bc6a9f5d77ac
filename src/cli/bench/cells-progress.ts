// How a benchmark goes whose cells take about the same time, on stderr: a bar on a terminal, lines elsewhere.

import { formatClock, formatMs } from '../../checks/quantities.js';
import { startBar, type TerminalBar } from '../terminal/terminal-bar.js';

interface CellsProgress {
  onStart(name: string): void;
  /** `result` in a few words. */
  onEnd(name: string, result: string): void;
  stop(): void;
}

function startCellsProgress(
  total: number,
  to: NodeJS.WriteStream,
  signal: AbortSignal,
): CellsProgress {
  const clock = new CellsClock(total);
  let bar: TerminalBar | null = null;
  const stop = () => {
    bar?.stop();
    bar = null;
  };
  return {
    onStart(name) {
      const left = clock.start();
      const details = [name, ...left].join(' · ');
      if (to.isTTY) bar = startBar({ total, value: clock.done, details, clears: true }, to, signal);
      else {
        const inBrackets = left.map((text) => ` (${text})`).join('');
        to.write(`  [${clock.done + 1}/${total}] ${name} …${inBrackets}\n`);
      }
    },
    onEnd(name, result) {
      stop();
      const took = `${result} after ${formatMs(clock.end())}`;
      to.write(to.isTTY ? `  ${name}: ${took}\n` : `      ${took}\n`);
    },
    stop,
  };
}

/** One name after the other, with progress; `endOf` says what came of one in a few words. */
export async function* measureEach<Name extends string, Cell>(
  names: readonly Name[],
  signal: AbortSignal,
  measureOne: (name: Name) => Promise<Cell>,
  endOf: (cell: Cell) => string,
): AsyncGenerator<Cell> {
  const progress = startCellsProgress(names.length, process.stderr, signal);
  try {
    for (const name of names) {
      if (signal.aborted) return;
      progress.onStart(name);
      const cell = await measureOne(name);
      progress.onEnd(name, endOf(cell));
      yield cell;
    }
  } finally {
    progress.stop();
  }
}

/** By the mean of the cells so far. */
export class CellsClock {
  readonly #total: number;
  readonly #now: () => number;
  #startedMs = 0;
  #sumMs = 0;
  done = 0;

  constructor(total: number, now = () => performance.now()) {
    this.#total = total;
    this.#now = now;
  }

  /** The time that is left, now that a cell starts; nothing where it would be a guess. */
  start(): string[] {
    this.#startedMs = this.#now();
    if (this.done === 0) return [];
    const leftMs = (this.#sumMs / this.done) * (this.#total - this.done);
    return [`about ${formatClock(leftMs / 1000)} left`];
  }

  /** Milliseconds of the cell that ended. */
  end(): number {
    const ms = this.#now() - this.#startedMs;
    this.#sumMs += ms;
    this.done += 1;
    return ms;
  }
}
