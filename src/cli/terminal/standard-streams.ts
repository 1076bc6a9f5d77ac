// Keeps a run alive when its output cannot be printed: `slowlane train | head -1`, `>` to a full disk, a closed terminal.
// Without listeners each of them would end the process with a stack trace and without a record.

import { kindOf, EXIT, reasonOf } from './cli-error.js';
import { say } from './print.js';

/** The reader has closed the pipe, which is no failure. */
const CLOSED_BY_READER = 'EPIPE';

/** From now on the process goes on when text can't be printed. */
export function outliveReaders(): void {
  onFirstError(process.stderr, () => {}); // there is no place left to report it
  onFirstError(process.stdout, (error) => {
    if (kindOf(error) === CLOSED_BY_READER) return;
    say(`slowlane: stdout: ${reasonOf(error)}.`);
    process.once('exit', () => {
      process.exitCode ||= EXIT.failed; // at the exit, because the exit code of the run counts first
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
