import '@tensorflow/tfjs-backend-cpu';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { adagrad, adam, adamw, lion, momentum, rmsprop, sgd } from '#src/optimizers/index.js';
import {
  checkBoolean,
  checkChoice,
  checkKeys,
  checkNumber,
  nearest,
  shown,
} from '#src/checks/check.js';

const rate = 'learningRate must be a finite number ≥ 0 or a schedule, got';
const beta = 'must be a finite number ≥ 0 and < 1, got';

// Wrong on purpose, as from JavaScript.
const wrong = (value: unknown) => value as never;

test.each<[() => unknown, typeof TypeError | typeof RangeError, string]>([
  [() => adam({ learningRate: wrong('0.1') }), TypeError, `${rate} "0.1" (string).`],
  [() => adam({ learningRate: -1 }), RangeError, `${rate} -1.`],
  [() => adam({ learningRate: NaN }), RangeError, `${rate} NaN.`],
  [() => sgd({ learningRate: Infinity }), RangeError, `${rate} Infinity.`],
  [() => sgd({ learningRate: wrong(null) }), TypeError, `${rate} null.`],
  [() => sgd({ learningRate: wrong({ at: 1 }) }), TypeError, `${rate} {"at":1} (object).`],
  [() => adam({ beta1: 1 }), RangeError, `beta1 ${beta} 1.`],
  [() => adam({ beta2: -0.1 }), RangeError, `beta2 ${beta} -0.1.`],
  [() => adam({ epsilon: 0 }), RangeError, 'epsilon must be a finite number > 0, got 0.'],
  [
    () => adamw({ weightDecay: -1 }),
    RangeError,
    'weightDecay must be a finite number ≥ 0, got -1.',
  ],
  [() => momentum({ momentum: 1 }), RangeError, `momentum ${beta} 1.`],
  [() => momentum({ nesterov: wrong(1) }), TypeError, 'nesterov must be true or false, got 1.'],
  [() => rmsprop({ decay: wrong([]) }), TypeError, `decay ${beta} [] (array).`],
  [
    () => rmsprop({ centered: wrong('yes') }),
    TypeError,
    'centered must be true or false, got "yes" (string).',
  ],
  [
    () => adagrad({ initialAccumulatorValue: -1 }),
    RangeError,
    'initialAccumulatorValue must be a finite number ≥ 0, got -1.',
  ],
  [
    () => lion({ beta2: wrong(undefined), weightDecay: NaN }),
    RangeError,
    'weightDecay must be a finite number ≥ 0, got NaN.',
  ],
  [() => sgd({ clipValue: 0 }), RangeError, 'clipValue must be a finite number > 0, got 0.'],
  [
    () => sgd({ clipNorm: wrong('1') }),
    TypeError,
    'clipNorm must be a finite number > 0, got "1" (string).',
  ],
  [
    () => sgd({ clipNorm: 1, clipValue: 2 }),
    TypeError,
    'Give clipValue or clipNorm, not both: got clipValue 2 and clipNorm 1.',
  ],
  [
    () => adam(wrong(0.1)),
    TypeError,
    'adam takes one object of options, { learningRate: … }, got 0.1.',
  ],
  [
    () => adam(wrong({ lr: 0.1 })),
    TypeError,
    "adam has no option 'lr'. Did you mean 'learningRate'? Its options: beta1, beta2, epsilon, learningRate, clipValue, clipNorm, gradients, moments, overrides, accumulate.",
  ],
  [
    () => adam(wrong({ learning_rate: 0.1 })),
    TypeError,
    "no option 'learning_rate'. Did you mean 'learningRate'?",
  ],
  [
    () => adam(wrong({ weightDecay: 0.1 })),
    TypeError,
    "adam has no option 'weightDecay'. Its options: ",
  ],
  [() => adamw(wrong({ wd: 0.1 })), TypeError, "Did you mean 'weightDecay'?"],
  [() => rmsprop(wrong({ rho: 0.9 })), TypeError, "Did you mean 'decay'?"],
  [() => momentum(wrong({ momentun: 0.9 })), TypeError, "Did you mean 'momentum'?"],
])('wrong options say what, what was received and what is allowed: %#', (make, kind, message) => {
  expect(make).toThrow(kind);
  expect(make).toThrow(message);
});

test('what is left out takes the defaults of TensorFlow.js', () => {
  expect(adam().getConfig()).toEqual({
    learningRate: 0.001,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-7,
  });
  expect(adamw().getConfig()).toMatchObject({ learningRate: 0.001, weightDecay: 0.01 });
  expect(lion().getConfig()).toEqual({
    learningRate: 0.0001,
    beta1: 0.9,
    beta2: 0.99,
    weightDecay: 0,
  });
  expect(rmsprop().getConfig()).toMatchObject({
    decay: 0.9,
    momentum: 0,
    epsilon: 1e-7,
    centered: false,
  });
  expect(adagrad().getConfig()).toMatchObject({ initialAccumulatorValue: 0.1 });
  expect(momentum({ clipNorm: 2 }).getConfig()).toMatchObject({ nesterov: false, clipNorm: 2 });
  expect(sgd({ clipValue: 3 }).getConfig()).toEqual({ learningRate: 0.01, clipValue: 3 });
});

test.each([
  ['sgd', sgd],
  ['rmsprop', rmsprop],
  ['adagrad', adagrad],
  ['adam', adam],
])('%s() has the defaults that TensorFlow.js gives to the name in compile', (name, make) => {
  const model = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1] })] });
  model.compile({ optimizer: name, loss: 'meanSquaredError' });
  expect(make().getConfig()).toMatchObject(model.optimizer.getConfig());
  model.dispose();
});

test('numbers pass through the door unchanged, up to their bounds', () => {
  expect(checkNumber('k', 1, { min: 1, max: 1, whole: true })).toBe(1);
  expect(() => checkNumber('k', 1.5, { min: 1, whole: true })).toThrow(
    'k must be a whole number ≥ 1, got 1.5.',
  );
  expect(() => checkNumber('α', 1 + Number.EPSILON, { min: 0, max: 1 })).toThrow(
    'α must be a finite number ≥ 0 and ≤ 1, got 1.0000000000000002.',
  );
  expect(checkBoolean('b', false)).toBe(false);
});

test('a choice names all choices and the nearest', () => {
  expect(checkChoice('format', 'f16', ['f32', 'f16'])).toBe('f16');
  expect(() => checkChoice('format', 'F32', ['f32', 'f16'])).toThrow(
    "format must be 'f32' or 'f16', got \"F32\" (string). Did you mean 'f32'?",
  );
  expect(() => checkChoice('format', 32, ['f32', 'f16'])).toThrow(TypeError);
});

test('a name is near by spelling, by synonym, or not at all', () => {
  expect(nearest('syncperiod', ['syncPeriod'])).toBe('syncPeriod');
  expect(nearest('k', ['syncPeriod', 'slowStepSize'])).toBe('syncPeriod');
  expect(nearest('alpha', ['syncPeriod', 'slowStepSize'])).toBe('slowStepSize');
  expect(nearest('banana', ['syncPeriod', 'slowStepSize'])).toBeUndefined();
  expect(checkKeys('x', undefined, ['a'])).toEqual({});
});

test('any received value can be shown', () => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  expect(shown(cyclic)).toBe('[object Object] (object)');
  expect(shown(12n)).toBe('12 (bigint)');
  expect(shown(() => 1)).toBe('a function (anonymous)');
  expect(shown('x'.repeat(99)).length).toBeLessThan(80);
});

test('released gradients cannot be clipped by their norm, and are saved with the options', () => {
  const released = { gradients: 'release' } as const;
  expect(() => sgd({ ...released, clipNorm: 1 })).toThrow(
    "clipNorm needs the gradients of all weights at once, which gradients: 'release' never has.",
  );
  expect(sgd({ gradients: 'keep', clipNorm: 1 }).getConfig()).toMatchObject({ clipNorm: 1 });
  expect(sgd({ ...released, clipValue: 1 }).getConfig()).toMatchObject({
    ...released,
    clipValue: 1,
  });
  expect(() => sgd({ gradients: 'drop' as never })).toThrow(RangeError);
});
