import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';

import { DeviceTensor } from '#src/optimizers/state/stored-tensor.js';
import { valuesOf } from '../../engines.js';

beforeAll(() => tf.setBackend('cpu'));

test('a name that is taken gets an ending, and disposing twice frees nothing else', () => {
  tf.disposeVariables();
  const make = (name: string) => new DeviceTensor(name, () => tf.zeros([1]));
  const [first, second, third] = [make('w/m'), make('w/m'), make('w/m')];
  const names = [first, second, third].map(({ variable }) => variable.name);
  expect(names).toEqual(['w/m', 'w/m_1', 'w/m_2']);
  second.dispose();
  const namesake = make('w/m');
  expect(namesake.variable.name).toBe('w/m_1');
  const { numTensors } = tf.memory();
  second.dispose();
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(valuesOf(namesake.variable)).toEqual([0]);
  for (const each of [first, third, namesake]) each.dispose();
});
