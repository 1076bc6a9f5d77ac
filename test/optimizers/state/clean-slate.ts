// Each test begins on cpu without variables, and has to leave no tensor behind.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, expect, vi } from 'vitest';

import { unregisterEngine } from '#src/engine/engine.js';

/** For the tests of the file that calls it. Returns a function that tells how many tensors there were before the test. */
export function onCleanSlate(): () => number {
  beforeAll(() => tf.setBackend('cpu'));
  let before = 0;
  beforeEach(() => {
    tf.disposeVariables();
    before = tf.memory().numTensors;
  });
  afterEach(() => {
    vi.restoreAllMocks();
    unregisterEngine(tf.backend());
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(before);
  });
  return () => before;
}
