/**
 * Errors that a program may want to tell apart. A wrong option is not one of them: it is a plain
 * `TypeError` or `RangeError` thrown where the option is given.
 */
export type SlowlaneErrorCode =
  | 'SYNC_DUE'
  | 'SYNC_RUNNING'
  | 'INSIDE_SLOW_WEIGHTS'
  | 'SYNC_FAILED'
  | 'OFFLOAD_PENDING'
  | 'STEP_OPEN'
  | 'DISPOSED'
  | 'NON_FINITE'
  | 'NO_GRADIENT'
  | 'STATE_MISMATCH'
  | 'NOT_SERIALIZABLE'
  | 'UNSUPPORTED_INNER'
  | 'UNMATCHED_OVERRIDE'
  | 'ENGINE'
  | 'OVER_BUDGET'
  | 'DATA';

/** The numbers and names behind the message, for programs. */
export type SlowlaneErrorDetails = Readonly<Record<string, unknown>>;

/** @example if (error instanceof SlowlaneError && error.code === 'SYNC_DUE') await optimizer.sync(); */
export class SlowlaneError extends Error {
  override readonly name: string = 'SlowlaneError';
  readonly code: SlowlaneErrorCode;
  readonly details: SlowlaneErrorDetails;

  constructor(
    code: SlowlaneErrorCode,
    message: string,
    details: SlowlaneErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.details = details;
  }
}
