// Signals that ask the process to end, as an AbortSignal: the first asks the run to end cleanly, the
// second ends the process.

import { isatty } from 'node:tty';

const SIGNALS = {
  SIGINT: { exitCode: 130, reason: 'Stopped with Ctrl-C.' },
  SIGTERM: { exitCode: 143, reason: 'Stopped by SIGTERM.' },
  SIGHUP: { exitCode: 129, reason: 'Stopped by SIGHUP: the terminal was closed.' },
} as const;

type SignalName = keyof typeof SIGNALS;

/** The reason of the signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  /** As a shell reports it: 128 + the number of the signal. */
  readonly exitCode: number;

  constructor(signal: SignalName) {
    super(SIGNALS[signal].reason);
    this.exitCode = SIGNALS[signal].exitCode;
  }
}

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Stops listening. */
  release(): void;
}

export function listenForInterrupt(): Interrupt {
  const hasTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor)); // asked while it is there
  const controller = new AbortController();
  const names = Object.keys(SIGNALS) as SignalName[];
  const release = (): void => {
    for (const name of names) process.off(name, abort);
  };
  const abort = (name: SignalName): void => {
    // With no listener left, Node ends the process at the next signal. SIGHUP keeps its listener, because a closing
    // terminal sends it twice: to the session and to its foreground.
    process.off('SIGINT', abort);
    process.off('SIGTERM', abort);
    if (name === 'SIGHUP' && hasTerminal) process.once('exit', endBySighup);
    controller.abort(new Interrupted(name));
  };
  for (const name of names) process.on(name, abort);
  return { signal: controller.signal, release };
}

/** On exit Node resets the terminal, and aborts with a core dump when the terminal is gone. */
function endBySighup(): void {
  process.kill(process.pid, 'SIGHUP');
}
