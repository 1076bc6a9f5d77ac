// What the error of a broken step says: which weights have moved, and what to do.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from 'slowlane';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { stepFailed, syncOfStepFailed } from '#src/optimizers/steps/step-failed.js';

let weights: tf.Variable[] = [];
beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.disposeVariables();
  const names = Array.from({ length: 9 }, (_, i) => `w${i}`);
  weights = tf.tidy(() => names.map((name) => tf.variable(tf.scalar(0), true, name)));
});
afterAll(() => tf.dispose(weights));

const cause = new RangeError('no memory');
const some = (n: number) => weights.slice(0, n);
const wayBack =
  'Go back with discard() of a Lookahead or to a saved state, or go on if a step of some weights does no harm.';

describe('a step', () => {
  test('that changed nothing throws what broke it', () => {
    expect(stepFailed(cause, { of: 3, moved: [] })).toBe(cause);
    expect(stepFailed(cause, { of: 3, moved: [], taken: [], torn: [], stateChanged: 0 })).toBe(
      cause,
    );
  });

  test('with a lost device throws that, whatever has moved', () => {
    const lost = new SlowlaneError('DEVICE_LOST', 'gone');
    expect(stepFailed(lost, { of: 3, moved: some(2) })).toBe(lost);
    expect(syncOfStepFailed(lost, some(2))).toBe(lost);
  });

  test('that moved some names them', () => {
    expect(stepFailed(cause, { of: 3, moved: some(2) })).toMatchObject({
      code: 'STEP_FAILED',
      cause,
      message: `The step failed when 2 of 3 weights had been updated ('w0', 'w1'); the others are as they were. Taken again, it would not be the same step. ${wayBack} no memory`,
      details: { changed: 2, of: 3, changedWeights: ['w0', 'w1'] },
    });
  });

  test('names eight, and says that there are more', () => {
    const message = (n: number) => (stepFailed(cause, { of: 9, moved: some(n) }) as Error).message;
    expect(message(8)).toContain("'w6', 'w7'); the");
    expect(message(9)).toContain("'w6', 'w7', …); the");
  });

  test('that tore a weight says so, and how to mend it', () => {
    const error = stepFailed(cause, { of: 3, moved: [], torn: some(1) }) as SlowlaneError;
    expect(error.message).toBe(
      "The step failed when 0 of 3 weights had been updated; the others are as they were. Taken again, it would not be the same step. A part of the state of one weight ('w0') has changed without it. Load a saved state. Or go back with discard() of a Lookahead, which leaves the state of the inner optimizer as it is, and call reset() of the inner optimizer with that weight. no memory",
    );
    expect(error.details).toEqual({
      changed: 0,
      of: 3,
      changedWeights: [],
      tornWeights: ['w0'],
    });
  });

  test('of an optimizer of tfjs counts the state that changed', () => {
    const error = stepFailed(cause, { of: 3, moved: some(1), stateChanged: 2 }) as SlowlaneError;
    expect(error.message).toMatch(
      /the same step\. 2 variables of the optimizer's state have changed\. Load a saved state: discard\(\)/,
    );
    expect(error.details).toMatchObject({ stateChanged: 2 });
    expect(error.details).not.toHaveProperty('tornWeights');
    expect(error.details).not.toHaveProperty('takenWeights');
    expect(stepFailed(cause, { of: 3, moved: [], stateChanged: 1 })).not.toBe(cause);
  });

  test('of micro-batches says whose gradients were taken', () => {
    const error = stepFailed(cause, { of: 3, moved: [], taken: some(2) }) as SlowlaneError;
    // No weight has moved: nothing to go back from.
    expect(error.message).toBe(
      "The step failed when 0 of 3 weights had been updated; the others are as they were. Gradients of 2 weights were taken ('w0', 'w1'): taken again, it takes those of the others alone. no memory",
    );
    expect(error.details).toMatchObject({ takenWeights: ['w0', 'w1'] });
  });

  test('keeps the class and the code of a SlowlaneError, and takes any value', () => {
    const memory = new SlowlaneError('OUT_OF_MEMORY', 'full');
    expect(stepFailed(memory, { of: 3, moved: some(1) })).toMatchObject({
      code: 'OUT_OF_MEMORY',
      details: { changed: 1, of: 3 },
    });
    expect(stepFailed('text', { of: 3, moved: some(1) })).toMatchObject({
      message: expect.stringMatching(/no harm\. text$/) as string,
      cause: 'text',
    });
  });
});

test('a sync that failed inside a step: the step itself was taken', () => {
  const message = (n: number) => syncOfStepFailed(cause, some(n)).message;
  expect(message(0)).toBe('The micro-batch itself was taken: do not take it again. no memory');
  expect(message(1)).toBe(
    "The step itself was taken, and 1 weight has its new values ('w0'): do not take it again. The sync after it failed. no memory",
  );
  expect(message(2)).toContain("and 2 weights have their new values ('w0', 'w1')");
  expect(syncOfStepFailed(cause, some(2)).details).toEqual({
    changed: 2,
    of: 2,
    changedWeights: ['w0', 'w1'],
  });
});
