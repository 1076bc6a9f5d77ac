// The errors of weights that something else than the Lookahead has changed or frozen.

import type * as tf from '@tensorflow/tfjs-core';

import { SlowlaneError } from '../../checks/errors.js';
import type { RefusedCapture } from './captures.js';

const MOST_SHOWN = 3;
const STEPS = ['minimize', 'applyGradients', 'completeStep'];

/** `call` was refused because of `weights`. `isRest`: it would have done the rest of a sync, which every call but discard() does first. */
export function weightsReplaced(
  call: string,
  weights: readonly tf.Variable[],
  { isRest = false } = {},
): SlowlaneError {
  const wayOut = isRest
    ? 'A sync had broken off before, and cannot go on with them: await discard() to go back to the slow weights.'
    : "Await resync() to take the weights as they are for the slow weights too, or discard() to go back to the slow weights. With replaced: 'resync' a Lookahead does the former by itself; with 'ignore' the new values count as fast weights.";
  return replaced(
    weights,
    `Before ${STEPS.includes(call) ? 'this step' : `${call}()`}, something else had changed ${listed(weights)}, so they do not belong to their slow weights any more. Nothing was moved. ${wayOut}`,
  );
}

/** `weights` were changed inside withSlowWeights() and were put back. */
export function replacementsLost(weights: readonly tf.Variable[]): SlowlaneError {
  return replaced(
    weights,
    `The function that withSlowWeights() ran has changed ${listed(weights)}. The fast weights were put back, and the new values are lost. Change weights outside it, or set replaced: 'resync' to keep the new values.`,
  );
}

/** `call` was refused: the slow value of `weight`, which something else has changed, would be the NaN that it holds. */
export function loadedNonFinite(call: string, { name }: tf.Variable, step: number): SlowlaneError {
  return new SlowlaneError(
    'NON_FINITE',
    `${call}() was called after something else had changed '${name}', which holds a NaN or an infinity now and would be captured as a slow weight. Nothing was moved. Give it finite values, or await discard() to go back to the slow weights.`,
    { weight: name, step },
  );
}

/** A weight was to become a slow weight, and is not finite. */
export function notCaptured({ variable, isFirst }: RefusedCapture, step: number): SlowlaneError {
  const { name } = variable;
  return new SlowlaneError(
    'NON_FINITE',
    isFirst
      ? `'${name}' held a NaN or an infinity when it was to be captured as a slow weight, before its first step. There are no slow values to go back to. Give it finite values; if it has taken a step since, await resync() then.`
      : `'${name}' held a NaN or an infinity after something else had changed it, and was to be captured as a slow weight. Its slow values are as they were: await discard() to go back to them, or give it finite values and await resync().`,
    { weight: name, step },
  );
}

/** `weights` were trained, and frozen at each sync. */
export function weightsFrozen(weights: readonly tf.Variable[]): SlowlaneError {
  return new SlowlaneError(
    'WEIGHTS_FROZEN',
    `At this sync and the previous one ${listed(weights)} was frozen, although it took steps before each, so its slow value stands still. Nothing was moved. Make it trainable, await the same call again, and freeze it after that.`,
    { weights: weights.map(({ name }) => name) },
  );
}

function replaced(weights: readonly tf.Variable[], message: string): SlowlaneError {
  const names = weights.map(({ name }) => name);
  return new SlowlaneError('WEIGHTS_REPLACED', message, { weights: names });
}

function listed(weights: readonly tf.Variable[]): string {
  const shown = weights.slice(0, MOST_SHOWN).map(({ name }) => `'${name}'`);
  const more = weights.length - shown.length;
  return `${weights.length === 1 ? 'the weight' : 'the weights'} ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Restored slow weights that have not met their weights can be neither shown nor dropped. */
export function notMet(): SlowlaneError {
  return new SlowlaneError(
    'STATE_MISMATCH',
    'The restored slow weights do not know yet which weights they belong to. Call await optimizer.attach(model), or attach(weights), first.',
  );
}
