// Weights that others replace, freeze and unfreeze, in any order with any calls: the same numbers, and the same errors,
// as a Lookahead of plain numbers. SLOWLANE_ORDERS=20000 tries more orders.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { loadTraining, type Lookahead, lookahead, saveTraining, sgd } from 'slowlane';
import { beforeAll, expect, test } from 'vitest';

import { slowOf, valuesOf } from '../../engines.js';
import { PlainLookahead } from './plain-lookahead.js';

const ORDERS = Number(process.env['SLOWLANE_ORDERS'] ?? 2000);
const FIRST = [0, 64];
const SYNC_PERIOD = 2;

interface Both {
  readonly x: readonly tf.Variable[];
  optimizer: Lookahead;
  readonly another: () => Lookahead;
  readonly model: PlainLookahead;
}

type Action = readonly [name: string, at: number, value: number];

const loss = (x: readonly tf.Variable[]) => () => tf.addN(x.map((w) => tf.sum(w))) as tf.Scalar;

function assign(weight: tf.Variable, value: number): void {
  const values = tf.tensor1d([value]);
  weight.assign(values);
  values.dispose();
}

/** What others do to a weight; also inside withSlowWeights(). */
const OTHERS: Record<string, (both: Both, at: number, value: number) => void> = {
  replace: ({ x, model }, at, value) => {
    assign(x[at] as tf.Variable, value);
    model.replace(at, value);
  },
  freeze: ({ x, model }, at) => {
    (x[at] as tf.Variable).trainable = false;
    model.setTrainable(at, false);
  },
  unfreeze: ({ x, model }, at) => {
    (x[at] as tf.Variable).trainable = true;
    model.setTrainable(at, true);
  },
  'assign it to itself': ({ x }, at) => {
    const weight = x[at] as tf.Variable;
    const same = weight.clone();
    weight.assign(same);
    same.dispose();
  },
};

/** Each call of the Lookahead, and what the model makes of it. */
interface Call {
  real(both: Both, at: number): unknown;
  plain(model: PlainLookahead, at: number): unknown;
}
const CALLS: Record<string, Call> = {
  step: {
    real: ({ optimizer, x }) => optimizer.step(loss(x), false, [...x]),
    plain: (model) => model.step(),
  },
  minimize: {
    real: ({ optimizer, x }) => optimizer.minimize(loss(x), false, [...x]),
    plain: (model) => model.minimize(),
  },
  attach: { real: ({ optimizer, x }) => optimizer.attach(x), plain: (model) => model.attach() },
  sync: { real: ({ optimizer }) => optimizer.sync(), plain: (model) => model.sync() },
  'early sync': {
    real: ({ optimizer }) => optimizer.sync({ early: true }),
    plain: (model) => model.sync({ early: true }),
  },
  finish: { real: ({ optimizer }) => optimizer.finish(), plain: (model) => model.finish() },
  discard: { real: ({ optimizer }) => optimizer.discard(), plain: (model) => model.discard() },
  resync: { real: ({ optimizer }) => optimizer.resync(), plain: (model) => model.resync() },
  save: {
    real: async ({ optimizer }) => (await slowOf(optimizer)).flat(),
    plain: (model) => model.save(),
  },
  forget: {
    real: ({ optimizer, x }, at) => optimizer.forget([x[at] as tf.Variable]),
    plain: (model, at) => model.forget(at),
  },
  'save and load': {
    real: async (both) => {
      const bytes = await saveTraining(both.optimizer, both.x);
      const another = both.another();
      await loadTraining(bytes, another, both.x);
      both.optimizer.dispose();
      both.optimizer = another;
    },
    plain: (model) => model.saveAndLoad(),
  },
};

async function outcomeOf(work: () => unknown): Promise<unknown> {
  try {
    return (await work()) ?? 'done';
  } catch (error) {
    return (error as { code?: string }).code ?? 'refused';
  }
}

async function run(both: Both, [name, at, value]: Action): Promise<void> {
  const { x, optimizer, model } = both;
  const [swap, inside] = name.split(' and ');
  const call = CALLS[name];
  if (call) {
    const expected = await outcomeOf(() => call.plain(model, at));
    expect(await outcomeOf(() => call.real(both, at))).toEqual(expected);
  } else if (swap === 'swap') {
    let seen: number[] = [];
    const others = inside === undefined ? undefined : OTHERS[inside];
    const plain = await outcomeOf(() => {
      seen = model.swap(() => others && changeModel(model, inside as string, at, value));
    });
    const real = await outcomeOf(() =>
      optimizer.withSlowWeights(() => {
        const shown = x.flatMap(valuesOf);
        others?.({ ...both, model: new PlainLookahead(FIRST, 1, 'throw') }, at, value);
        if (plain === 'done') expect(shown).toEqual(seen);
      }),
    );
    expect(real).toEqual(plain);
  } else OTHERS[name]?.(both, at, value);
  expect(x.flatMap(valuesOf)).toEqual(model.fast);
}

function changeModel(model: PlainLookahead, name: string, at: number, value: number): void {
  if (name === 'replace') model.replace(at, value);
  else model.setTrainable(at, name === 'unfreeze');
}

const others = Object.keys(OTHERS);
const calls = Object.keys(CALLS);
const action = fc.tuple(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...others) },
    { weight: 4, arbitrary: fc.constantFrom('step', 'minimize') },
    { weight: 5, arbitrary: fc.constantFrom(...calls) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        'swap',
        'swap and replace',
        'swap and freeze',
        'swap and unfreeze',
      ),
    },
  ),
  fc.nat(FIRST.length - 1),
  fc.oneof({ weight: 4, arbitrary: fc.integer({ min: -100, max: 100 }) }, fc.constant(NaN)),
);

beforeAll(async () => {
  await tf.setBackend('cpu');
});

test.each([
  ['throw', 'awaited'],
  ['resync', 'awaited'],
  ['ignore', 'awaited'],
  ['throw', 'inline'],
  ['resync', 'inline'],
] as const)(
  'replaced: %s, sync: %s; every order of calls and changes gives the numbers and the errors of the plain model',
  { timeout: 20 * 60_000 },
  async (replaced, sync) => {
    const { numTensors } = tf.memory();
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 14 }), async (actions) => {
        const x = FIRST.map((value) => tf.tidy(() => tf.variable(tf.tensor1d([value]))));
        const options = { syncPeriod: SYNC_PERIOD, workers: 0, replaced, sync } as const;
        const another = () => lookahead(sgd({ learningRate: 1 }), options);
        const isInline = sync === 'inline';
        const model = new PlainLookahead(FIRST, SYNC_PERIOD, replaced, { isInline });
        const both = { x, optimizer: another(), another, model };
        try {
          for (const each of actions) await run(both, each);
        } finally {
          both.optimizer.dispose();
          tf.dispose(x as tf.Variable[]);
        }
        expect(tf.memory().numTensors).toBe(numTensors);
      }),
      { numRuns: Math.ceil(ORDERS / 5), seed: 16 },
    );
  },
);
