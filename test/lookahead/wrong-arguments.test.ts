// Arguments that are not what a call takes: a TypeError says which call, what it got and what it takes, and nothing has
// changed.

import * as tf from '@tensorflow/tfjs-core';
import {
  adam,
  checkpoint,
  type Lookahead,
  lookahead,
  loadTraining,
  saveTraining,
  sgd,
} from 'slowlane';
import { afterEach, describe, expect, test } from 'vitest';

import { onEveryEngine, valuesOf } from '../engines.js';

const wrong = (value: unknown) => value as never;
/** Each where a list of variables is due, and what the error says of it. */
const NO_VARIABLES: [unknown, RegExp][] = [
  [3, /array of variables, got 3/],
  [{}, /array of variables, got \{\} \(object\)/],
  [[null], /array of variables; weight 0 is null/],
  [[undefined], /weight 0 is undefined/],
  // oxlint-disable-next-line no-sparse-arrays
  [[,], /weight 0 is undefined/],
  [['kernel'], /weight 0 is "kernel" \(string\)/],
];

onEveryEngine(() => {
  afterEach(() => tf.disposeVariables());
  const make = () => {
    const a = tf.variable(tf.tensor1d([4]), true, 'a');
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 2, workers: 0 });
    return { a, optimizer, loss: (): tf.Scalar => tf.sum(a) };
  };
  type Made = ReturnType<typeof make>;

  const LISTS: [string, (value: never, made: Made) => unknown][] = [
    ['attach', (value, { optimizer }) => optimizer.attach(value)],
    ['step', (value, { optimizer, loss }) => optimizer.step(loss, false, value)],
    ['minimize', (value, { optimizer, loss }) => optimizer.minimize(loss, false, value)],
    ['minimize', (value, { loss }) => adam().minimize(loss, false, value)],
    ['forget', (value, { optimizer }) => optimizer.forget(value)],
    ['forget', (value) => adam().forget(value)],
    ['reset', (value) => adam().reset(value)],
  ];
  describe.each(LISTS)('%s()', (name, call) => {
    test.each(NO_VARIABLES)('with %s for variables', async (value, message) => {
      const made = make();
      const failing = (async () => call(wrong(value), made))();
      await expect(failing).rejects.toThrow(TypeError);
      await expect(failing).rejects.toThrow(message);
      await expect(failing).rejects.toThrow(`${name}() takes `);
      // A step follows as if that call had not been made.
      await made.optimizer.step(made.loss, false, [made.a]);
      expect([valuesOf(made.a), made.optimizer.iterations]).toEqual([[3], 1]);
    });
  });

  const OTHERS: [string, (made: Made & { bytes: Uint8Array }) => unknown, RegExp][] = [
    ['step(3)', ({ optimizer }) => optimizer.step(wrong(3)), /step\(\) takes a function, got 3/],
    [
      'minimize(null)',
      ({ optimizer }) => optimizer.minimize(wrong(null)),
      /minimize\(\) takes a function, got null/,
    ],
    ['adam().minimize()', () => adam().minimize(wrong(undefined)), /takes a function/],
    ['momentsOf(null)', () => adam().momentsOf(wrong(null)), /momentsOf\(\) takes a variable/],
    ['checkpoint(null)', () => checkpoint(wrong(null)), /checkpoint\(\) takes a function/],
    [
      'attach of a model without weights',
      ({ optimizer }) => optimizer.attach({ trainableWeights: wrong(null) }),
      /attach\(\) takes a LayersModel/,
    ],
    [
      'attach of a model with a null',
      ({ optimizer }) => optimizer.attach({ trainableWeights: [wrong(null)] }),
      /attach\(\) takes a LayersModel/,
    ],
    [
      'applyGradients of a name that is a number',
      ({ optimizer }) => optimizer.applyGradients([{ name: wrong(3), tensor: tf.zeros([1]) }]),
      /applyGradients\(\) takes a map/,
    ],
    ...[null, 3, {}].flatMap((optimizer): (typeof OTHERS)[number][] => [
      [
        `saveTraining(${JSON.stringify(optimizer)}, …)`,
        ({ a }) => saveTraining(wrong(optimizer), [a]),
        /saveTraining\(\) takes an optimizer, got/,
      ],
      [
        `loadTraining(…, ${JSON.stringify(optimizer)}, …)`,
        ({ a, bytes }) => loadTraining(bytes, wrong(optimizer), [a]),
        /loadTraining\(\) takes an optimizer, got/,
      ],
    ]),
    ...[null, 3, [null], { weights: 3 }, { weights: [null] }].flatMap(
      (model): (typeof OTHERS)[number][] => [
        [
          `saveTraining(…, ${JSON.stringify(model)})`,
          ({ optimizer }) => saveTraining(optimizer, wrong(model)),
          /saveTraining\(\) takes a LayersModel or an array of variables/,
        ],
        [
          `loadTraining(…, ${JSON.stringify(model)})`,
          ({ optimizer, bytes }) => loadTraining(bytes, optimizer, wrong(model)),
          /loadTraining\(\) takes a LayersModel or an array of variables/,
        ],
      ],
    ),
    ['sync(3)', ({ optimizer }) => optimizer.sync(wrong(3)), /sync\(\) takes one object.*got 3/],
    ['sync(null)', ({ optimizer }) => optimizer.sync(wrong(null)), /sync\(\) takes one object/],
    [
      'sync({ earl: true })',
      ({ optimizer }) => optimizer.sync(wrong({ earl: true })),
      /sync\(\) has no option 'earl'\. Did you mean 'early'\?/,
    ],
    [
      'sync({ early: 1 })',
      ({ optimizer }) => optimizer.sync(wrong({ early: 1 })),
      /early must be true or false, got 1/,
    ],
  ];
  test.each(OTHERS)('%s', async (_, call, message) => {
    const made = make();
    const bytes = await saveTraining(made.optimizer, [made.a]);
    const failing = (async () => call({ ...made, bytes }))();
    await expect(failing).rejects.toThrow(TypeError);
    await expect(failing).rejects.toThrow(message);
    await made.optimizer.step(made.loss, false, [made.a]);
    expect([valuesOf(made.a), made.optimizer.iterations]).toEqual([[3], 1]);
  });

  test.each([null, 'abc', {}, [null], [{ name: 'a' }], [{ tensor: 3, name: 'a' }]])(
    'setWeights(%o)',
    async (state) => {
      const made = make();
      for (const optimizer of [
        made.optimizer,
        adam(),
        lookahead(tf.train.adam(), { workers: 0 }),
      ]) {
        await expect(optimizer.setWeights(wrong(state))).rejects.toMatchObject({
          code: 'STATE_MISMATCH',
          message: expect.stringMatching(
            /^setWeights\(\) takes the array that getWeights/,
          ) as unknown,
        });
      }
      await made.optimizer.step(made.loss, false, [made.a]);
      expect([valuesOf(made.a), made.optimizer.iterations]).toEqual([[3], 1]);
    },
  );

  test('step(…, null) trains all, as undefined does; sync({ early: undefined }) is sync()', async () => {
    const { a, optimizer, loss } = make();
    await (optimizer as Lookahead).step(loss, false, wrong(null));
    await optimizer.sync({ early: undefined } as never);
    expect(valuesOf(a)).toEqual([3]); // α = ½ would have made it 3.5
  });

  test('withSlowWeights() whose function replaces a weight and throws: the error says both', async () => {
    const { a, optimizer, loss } = make();
    await optimizer.step(loss, false, [a]);
    const mine = new Error('mine');
    const failing = optimizer.withSlowWeights(() => {
      a.assign(tf.tensor1d([9]));
      throw mine;
    });
    await expect(failing).rejects.toMatchObject({
      cause: mine,
      errors: [mine, { code: 'WEIGHTS_REPLACED' }],
    });
    expect(valuesOf(a)).toEqual([3]);
    // The next one does not hear of it again.
    await expect(optimizer.withSlowWeights(() => Promise.reject(mine))).rejects.toBe(mine);
  });

  test('a replaced weight: errors name what the user may have called', async () => {
    const { a, optimizer, loss } = make();
    await optimizer.step(loss, false, [a]);
    a.assign(tf.tensor1d([9]));
    await expect(optimizer.getWeights()).rejects.toThrow(
      /^Before getWeights\(\) or model\.save\(\), something else had/,
    );
    await expect(saveTraining(optimizer, [a])).rejects.toThrow(/^Before saveTraining\(\), some/);
    await expect(optimizer.attach([a])).rejects.toThrow(/^Before attach\(\), something/);
    expect(() => optimizer.minimize(loss, false, [a])).toThrow(/^Before this step, something/);
  });
});
