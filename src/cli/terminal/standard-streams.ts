// What becomes of a run whose readers go away: `slowlane train | head -1`, a full disk behind `>`, a
// terminal that was closed. Without a listener each of them ends the process with a stack, and with the
// record unwritten.

import { kindOf, EXIT, reasonOf } from './cli-error.js';

/** A reader that has seen enough; that isn't a failure. */
const CLOSED_BY_READER = 'EPIPE';

/** From now on, text that can't be printed is lost, and the process goes on. */
export function outliveReaders(): void {
  onFirstError(process.stderr, () => {}); // nowhere to say it
  onFirstError(process.stdout, (error) => {
    if (kindOf(error) === CLOSED_BY_READER) return;
    console.error(`slowlane: stdout: ${reasonOf(error)}.`);
    process.once('exit', () => {
      process.exitCode ||= EXIT.failed; // not sooner: the run decides first
    });
  });
}

function onFirstError(stream: NodeJS.WriteStream, then: (error: Error) => void): void {
  let failed = false;
  stream.on('error', (error) => {
    if (failed) return;
    failed = true;
    stream.write = () => true;
    then(error);
  });
}
