/**
 * Errors that the command line reports in one line instead of a stack trace: a wrong request (exit code 2) and a run
 * that failed for a known reason (exit code 1).
 */

/** The request itself is wrong: what was received, what is allowed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The run failed: the reason, and what the user can do. */
export class RunError extends Error {
  override readonly name = 'RunError';
  readonly remedy: string;

  constructor(reason: string, remedy: string, options?: ErrorOptions) {
    super(reason, options);
    this.remedy = remedy;
  }
}

/** Exit codes of runs that a signal ended are in interrupt.ts. */
export const EXIT = { failed: 1, usage: 2 } as const;

/** The message of anything that was thrown. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The code that the system or Node gave an error: `ENOENT`, `ERR_BUFFER_TOO_LARGE`. */
export function kindOf(thrown: unknown): unknown {
  return thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
}

/** Whether the error says that a file or folder does not exist. */
export function isNotFound(thrown: unknown): boolean {
  return kindOf(thrown) === 'ENOENT';
}
