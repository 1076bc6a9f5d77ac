/**
 * What an error of a step says about the step. The update of one weight is whole or not at all, but a step of many weights
 * may break off between two of them; then whoever takes it again would move the first ones twice.
 */
import type * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError, type SlowlaneErrorDetails, saysMore } from '../../checks/errors.js';

/** What had happened when a step failed. */
export interface StepSoFar {
  /** The weights that the step is for. */
  readonly of: number;
  /** Those that have their new values. */
  readonly moved: readonly tf.Variable[];
  /** Of a micro-batch: the weights whose gradients were taken. If it is taken again, only the others' are. */
  readonly taken?: readonly tf.Variable[];
  /** Those that have not, but a part of their state has. */
  readonly torn?: readonly tf.Variable[];
  /** For an optimizer that does not say of which weights: variables of its state that have new values. */
  readonly stateChanged?: number;
}

/**
 * The error to throw in place of `cause`: `cause` itself if nothing has changed. A SlowlaneError keeps its class and its
 * code, because a program may wait for it; others become STEP_FAILED.
 */
export function stepFailed(cause: unknown, soFar: StepSoFar): unknown {
  if (isLoss(cause)) return cause;
  const { of, moved, torn = [], stateChanged = 0, taken } = soFar;
  const isWhole = moved.length === 0 && torn.length === 0 && stateChanged === 0;
  if (isWhole && (taken ?? []).length === 0) return cause;
  const details = {
    changed: moved.length,
    of,
    changedWeights: namesOf(moved),
    ...(torn.length === 0 ? {} : { tornWeights: namesOf(torn) }),
    ...(stateChanged === 0 ? {} : { stateChanged }),
    ...(taken === undefined ? {} : { takenWeights: namesOf(taken) }),
  };
  const said = [
    `The step failed when ${moved.length} of ${of} weights had been updated${listed(moved)}; the others are as they were.`,
    taken === undefined
      ? 'Taken again, it would not be the same step.'
      : `Gradients of ${taken.length} weights were taken${listed(taken)}: taken again, it takes those of the others alone.`,
    torn.length === 0
      ? ''
      : `A part of the state of one weight${listed(torn)} has changed without it.`,
    stateChanged === 0 ? '' : `${stateChanged} variables of the optimizer's state have changed.`,
    isWhole ? '' : wayBack(soFar),
  ];
  return saying(cause, said.filter((sentence) => sentence !== '').join(' '), details);
}

/** The error to throw in place of `cause` if the step itself was taken, and `moved` its weights, but its sync failed. */
export function syncOfStepFailed(cause: unknown, moved: readonly tf.Variable[]): SlowlaneError {
  if (isLoss(cause)) return cause;
  const weights = `${moved.length} ${moved.length === 1 ? 'weight has its' : 'weights have their'}`;
  return saying(
    cause,
    moved.length === 0
      ? 'The micro-batch itself was taken: do not take it again.'
      : `The step itself was taken, and ${weights} new values${listed(moved)}: do not take it again. The sync after it failed.`,
    { changed: moved.length, of: moved.length, changedWeights: namesOf(moved) },
  );
}

/** With the device all weights are gone: which of them had moved is of no use to anyone. */
function isLoss(cause: unknown): cause is SlowlaneError {
  return cause instanceof SlowlaneError && cause.code === 'DEVICE_LOST';
}

/** What to do, in the order of how much it repairs. */
function wayBack({ torn = [], stateChanged = 0 }: StepSoFar): string {
  if (torn.length > 0) {
    return `Load a saved state. Or go back with discard() of a Lookahead, which leaves the state of the inner optimizer as it is, and call reset() of the inner optimizer with that weight.`;
  }
  if (stateChanged > 0) {
    return `Load a saved state: discard() of a Lookahead goes back to the slow weights, and leaves the state of the inner optimizer as it is.`;
  }
  return `Go back with discard() of a Lookahead or to a saved state, or go on if a step of some weights does no harm.`;
}

/** `cause` and what `more` says. A SlowlaneError keeps its class and its code. */
function saying(cause: unknown, more: string, details: SlowlaneErrorDetails): SlowlaneError {
  if (cause instanceof SlowlaneError) return saysMore(cause, more, details);
  const message = cause instanceof Error ? cause.message : String(cause);
  return new SlowlaneError('STEP_FAILED', `${more} ${message}`, details, { cause });
}

function namesOf(weights: readonly tf.Variable[]): string[] {
  return weights.map(({ name }) => name);
}

const SHOWN = 8;

function listed(weights: readonly tf.Variable[]): string {
  if (weights.length === 0) return '';
  const names = namesOf(weights.slice(0, SHOWN)).map((name) => `'${name}'`);
  return ` (${names.join(', ')}${weights.length > SHOWN ? ', …' : ''})`;
}
