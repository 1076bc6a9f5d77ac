import * as tf from '@tensorflow/tfjs-core';
import { expect, test, vi } from 'vitest';
import { adam, sgd } from '#src/optimizers/index.js';
import { halfSquare, valuesOf } from '../engines.js';

// Alone in their file: what is found out about an engine is remembered.
test('the very first step inside of another differentiation leaves that one alone', async () => {
  await tf.setBackend('cpu');
  const x = tf.tidy(() => tf.variable(tf.scalar(3)));
  const optimizer = sgd({ learningRate: 0.5, gradients: 'release' });
  const slope = tf.grad((y) => {
    const squared = tf.square(y);
    optimizer.minimize(() => halfSquare(x));
    return squared;
  });
  expect(tf.tidy(() => valuesOf(slope(tf.scalar(2))))).toEqual([4]);
  expect(valuesOf(x)).toEqual([1.5]);
  x.dispose();
});

test('with an engine made differently: gradients are kept, which is said once', async () => {
  await tf.setBackend('cpu');
  hideTape();
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const x = tf.tidy(() => tf.variable(tf.scalar(4)));
  const before = tf.memory().numTensors;
  const optimizer = sgd({ learningRate: 0.5, gradients: 'release' });
  for (const value of [2, 1, 0.5]) {
    optimizer.minimize(() => halfSquare(x));
    expect(valuesOf(x)).toEqual([value]);
  }
  const other = adam({ gradients: 'release' });
  other.minimize(() => halfSquare(x));
  other.dispose();
  expect(tf.memory().numTensors).toBe(before);
  const said = warn.mock.calls
    .map(([text]) => String(text))
    .filter((text) => text.startsWith('slowlane'));
  expect(said).toHaveLength(1);
  expect(said[0]).toContain(
    "gradients: 'release' knows the inside of TensorFlow.js 4.22; this is 4.",
  );
});

/** Only tfjs's own `gradients` gets at the tape. */
function hideTape(): void {
  const engine = tf.engine();
  const gradients = engine.gradients.bind(engine);
  let isInside = false;
  let tape: unknown;
  engine.gradients = ((...given: Parameters<typeof gradients>) => {
    isInside = true;
    try {
      return gradients(...given);
    } finally {
      isInside = false;
    }
  }) as typeof gradients;
  const { state } = engine;
  Object.defineProperty(state, 'activeTape', {
    get: () => (isInside ? tape : undefined),
    set: (value: unknown) => {
      tape = value;
    },
  });
}
