// A progress bar on a terminal. It restores the terminal however the process ends.

import { SingleBar } from 'cli-progress';

export interface TerminalBar {
  update(value: number, details: string): void;
  /** Leaves the cursor on a line of its own; that of the bar if it `clears`. */
  stop(): void;
}

/** Shows the cursor and lets lines wrap, which a bar switches off. */
const RESTORED_TERMINAL = '\u001B[?25h\u001B[?7h';

export interface BarOptions {
  readonly total: number;
  readonly value?: number;
  readonly details: string;
  /** Removes its line when it stops. */
  readonly clears?: boolean;
}

/** Once `signal` is aborted, the process may be ended from outside at any time. */
export function startBar(
  { total, value = 0, details, clears = false }: BarOptions,
  to: NodeJS.WriteStream,
  signal: AbortSignal,
): TerminalBar {
  const restore = (): void => void to.write(RESTORED_TERMINAL);
  const bar = new SingleBar({
    format: '  {bar} {value}/{total} · {details}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 12, // the line fits into 80 columns,
    hideCursor: true,
    clearOnComplete: clears,
    fps: 8,
    stream: to,
    gracefulExit: false, // Ctrl-C is ours
  });
  process.once('exit', restore);
  signal.addEventListener('abort', restore, { once: true });
  bar.start(total, value, { details });
  return {
    update: (next, text) => bar.update(next, { details: text }),
    stop() {
      bar.stop();
      process.off('exit', restore);
      signal.removeEventListener('abort', restore);
    },
  };
}
