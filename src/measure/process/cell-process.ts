// One cell, in this process, which was started for it (run-cell.ts).

import type { Phase } from '../record-parts.js';
import { type Failure, failureOf } from './failure.js';

/** What the process tells its parent; `R` is what its cells measure. */
export type Message<R> =
  | { readonly type: 'phase'; readonly phase: Phase; readonly atMs: number }
  | { readonly type: 'result'; readonly result: R }
  | { readonly type: 'failed'; readonly failure: Failure };

/** Measures, tells the result or the failure, and ends the process. */
export async function runCellHere<R>(
  measure: (enter: (phase: Phase) => void) => Promise<R>,
): Promise<void> {
  // Ctrl-C in a terminal goes to this process too; the parent ends it when it has its reasons.
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(1));
  const enter = (phase: Phase) => void tell<R>({ type: 'phase', phase, atMs: Date.now() });
  try {
    await tell<R>({ type: 'result', result: await measure(enter) });
  } catch (error) {
    await tell<R>({ type: 'failed', failure: failureOf(error) });
  }
  // At once: workers and devices that still live would hold the process, and have nothing more to say.
  process.exit(0);
}

function tell<R>(message: Message<R>): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) {
      console.log(JSON.stringify(message)); // started by hand
      resolve();
      return;
    }
    process.send(message, undefined, {}, () => resolve());
  });
}
