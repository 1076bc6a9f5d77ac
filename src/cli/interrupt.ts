// Ctrl-C as an AbortSignal: the first asks the run to end cleanly, the second ends the process.

/** The reason of the signal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Stops listening. */
  release(): void;
}

export function listenForInterrupt(): Interrupt {
  const controller = new AbortController();
  // With no listener left, the next Ctrl-C is Node's own and ends the process at once.
  const abort = (): void => controller.abort(new Interrupted('Stopped with Ctrl-C.'));
  process.once('SIGINT', abort);
  return { signal: controller.signal, release: () => void process.off('SIGINT', abort) };
}
