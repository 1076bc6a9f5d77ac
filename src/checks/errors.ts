/**
 * The codes of errors that a program can react to; docs/errors.md says when each is thrown and what to do. A wrong
 * option is none of them: it throws a `TypeError` or `RangeError` where it is given.
 */
export const ERROR_CODES = [
  'SYNC_DUE',
  'SYNC_RUNNING',
  'INSIDE_SLOW_WEIGHTS',
  'SYNC_FAILED',
  'OFFLOAD_PENDING',
  'STEP_OPEN',
  'STEP_FAILED',
  'DISPOSED',
  'NON_FINITE',
  'NO_GRADIENT',
  'STATE_MISMATCH',
  'NOT_SERIALIZABLE',
  'UNSUPPORTED_INNER',
  'UNMATCHED_OVERRIDE',
  'PACKAGE_MISSING',
  'UNSUPPORTED',
  'WRONG_STATE',
  'DEVICE_FAILED',
  'DEVICE_LOST',
  'OUT_OF_MEMORY',
  'OVER_BUDGET',
  'DATA',
] as const;

export type SlowlaneErrorCode = (typeof ERROR_CODES)[number];

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
