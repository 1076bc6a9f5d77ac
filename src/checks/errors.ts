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
  'WEIGHTS_REPLACED',
  'WEIGHTS_FROZEN',
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

/** One of the codes of a `SlowlaneError`; docs/errors.md explains each. */
export type SlowlaneErrorCode = (typeof ERROR_CODES)[number];

/** The numbers and names behind the message, for programs. */
export type SlowlaneErrorDetails = Readonly<Record<string, unknown>>;

/**
 * An error that a program can react to. `code` says which it is, `message` what was wrong and what to do.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { lookahead, sgd, SlowlaneError } from 'slowlane';
 *
 * const w = tf.tidy(() => tf.variable(tf.scalar(1)));
 * const optimizer = lookahead(sgd(), { syncPeriod: 1 });
 * const loss = () => tf.square(w) as tf.Scalar;
 * optimizer.minimize(loss, false, [w]); // ends a cycle: a sync is due
 * try {
 *   optimizer.minimize(loss, false, [w]);
 * } catch (error) {
 *   if (!(error instanceof SlowlaneError) || error.code !== 'SYNC_DUE') throw error;
 *   await optimizer.sync();
 * }
 * ```
 */
export class SlowlaneError extends Error {
  /** The name of the class. */
  override readonly name: string = 'SlowlaneError';
  /** What happened; docs/errors.md explains each code. */
  readonly code: SlowlaneErrorCode;
  /** The numbers and names behind the message. */
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

/** A copy of `error`, of its class, that says more. The original stays as it is: it may be thrown to others too. */
export function saysMore<E extends SlowlaneError>(
  error: E,
  more: string,
  details: SlowlaneErrorDetails,
): E {
  const copy = new Error(`${error.message} ${more}`, { cause: error });
  Object.setPrototypeOf(copy, Object.getPrototypeOf(error) as object);
  return Object.assign(copy, error, { details: { ...error.details, ...details } });
}
