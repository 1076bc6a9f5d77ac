// Updates in place have the bits of tensor operations.

import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { engineOf } from '#src/engine/engine.js';
import type { Clip } from '#src/formula/clipping.js';
import { NEAREST } from '#src/formula/quantization.js';
import { updateWithTensors } from '#src/formula/tensor-algebra.js';
import type { Assignment, RuleConstants, UpdateRule } from '#src/formula/update-rule.js';
import type { Updater, WeightUpdate } from '#src/formula/weight-update.js';
import { adagradRule } from '#src/optimizers/rules/adagrad.js';
import { adamRule } from '#src/optimizers/rules/adam.js';
import { adamwRule } from '#src/optimizers/rules/adamw.js';
import { lionRule } from '#src/optimizers/rules/lion.js';
import { momentumRule } from '#src/optimizers/rules/momentum.js';
import { INNER_NAMES } from '#src/optimizers/rules/names.js';
import { rmspropRule } from '#src/optimizers/rules/rmsprop.js';
import { sgdRule } from '#src/optimizers/rules/sgd.js';

import { check, onWasm, seed, values } from '../compare.js';

onWasm();

const RULES = [
  sgdRule,
  momentumRule,
  rmspropRule,
  adagradRule,
  adamRule,
  adamwRule,
  lionRule,
] as unknown as readonly UpdateRule[];

/** What a gradient or a weight may hold instead of a number. */
const ODD = [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-40, 3e38, -1e-20, 1];

/** The numbers of `seed`, each `every`-th an odd one; NaN has the same bits each time. */
function numbers(size: number, seed: number, every: number): Float32Array {
  return Float32Array.from(values({ shape: [size] }, seed), (value, i) =>
    (i + seed) % every === 0 ? (ODD[Math.floor((i + seed) / every) % ODD.length] ?? 0) : value,
  );
}

const CLIPS: Readonly<Record<Clip['by'], () => Clip>> = {
  nothing: () => ({ by: 'nothing' }),
  value: () => ({ by: 'value', limit: 0.3 }),
  scale: () => ({ by: 'scale', scale: tf.scalar(0.7) }),
};

interface Case {
  readonly rule: UpdateRule;
  readonly constants: RuleConstants;
  readonly clip: Clip['by'];
  readonly size: number;
  readonly seed: number;
  /** Each how many-th number is odd. */
  readonly every: number;
}

/** The bits of the weight and its state after three steps; NaN is NaN, whatever its bits. */
function hexAfter(
  update: Updater,
  formula: readonly Assignment[],
  { rule, constants, clip, size, seed, every }: Case,
): string[] {
  const variable = (array: Float32Array) =>
    tf.tidy(() => tf.variable(tf.tensor1d(array.slice()), false));
  const weight = variable(numbers(size, seed, every));
  const state = new Map(
    rule.state(constants).map(({ name, initial, neverNegative }, s) => {
      const first = numbers(size, seed + 1 + s, every).map((x) => initial + x);
      return [name, variable(neverNegative ? first.map(Math.abs) : first)] as const;
    }),
  );
  const made = CLIPS[clip]();
  for (let step = 1; step <= 3; step++) {
    const given: WeightUpdate = {
      rule: null,
      formula,
      weight,
      state,
      quantized: null,
      rounding: NEAREST,
      gradient: tf.tensor1d(numbers(size, seed + 10 * step, every)),
      takesGradient: true,
      clip: made,
      scalars: rule.scalars(constants, 0.01, step),
    };
    update(given);
  }
  const all = [weight, ...state.values()];
  const bits = all.map((tensor) => {
    const got = Float32Array.from(tensor.dataSync(), (x) => (Number.isNaN(x) ? NaN : x));
    return Buffer.from(got.buffer).toString('hex');
  });
  tf.dispose(all);
  if (made.by === 'scale') made.scale.dispose();
  return bits;
}

function expectSameBits(given: Case): void {
  const update = engineOf(tf.backend())?.update;
  if (update === undefined) throw new Error('The engine updates nothing.');
  const formula = given.rule.formula(given.constants);
  const before = tf.memory();
  const inPlace = hexAfter(update, formula, given);
  expect(inPlace).toEqual(hexAfter(updateWithTensors, formula, given));
  expect(tf.memory()).toEqual(before);
}

/** Each constant is its default, or another one. */
const constantsOf = (rule: UpdateRule): fc.Arbitrary<RuleConstants> =>
  fc.record(
    Object.fromEntries(
      Object.entries(rule.constants).map(([name, { default: usual }]) => [
        name,
        typeof usual === 'boolean' ? fc.boolean() : fc.constantFrom(usual, 0.5, 0.25),
      ]),
    ),
  );

test('the rules are all that there are', () => {
  expect(RULES.map(({ name }) => name)).toEqual([...INNER_NAMES]);
});

test.each(RULES.map((rule) => [rule.name, rule] as const))(
  '%s: any size, constants and clipping, with NaN, infinities, −0 and denormals',
  (_, rule) =>
    check(
      fc.asyncProperty(
        fc.record({
          rule: fc.constant(rule),
          constants: constantsOf(rule),
          clip: fc.constantFrom<Clip['by'][]>('nothing', 'value', 'scale'),
          size: fc.oneof(fc.nat(9), fc.nat(1000)),
          seed,
          every: fc.constantFrom(1, 3, 1e9),
        }),
        async (given) => expectSameBits(given),
      ),
      60,
    ),
);

test('sgd: each size from 0 to 1,000', () => {
  const rule = sgdRule as unknown as UpdateRule;
  for (let size = 0; size <= 1000; size++) {
    expectSameBits({ rule, constants: {}, clip: 'nothing', size, seed: size + 1, every: 7 });
  }
});

test.each(['abs', 'sqrt', 'sign', 'square'] as const)('%s of any number', (name) => {
  const formula: Assignment<never, 'learningRate'>[] = [
    { target: 'weight', value: (x, o) => o[name](o.sub(x.gradient, x.weight)) },
    { target: 'weight', value: (x, o) => o.div(o.square(o.sign(x.weight)), o[name](x.gradient)) },
    { target: 'weight', value: (x, o) => o.add(o.abs(o.sqrt(x.gradient)), x.weight) },
  ];
  const rule = { ...sgdRule, formula: () => formula } as UpdateRule;
  for (const every of [1, 2, 1e9]) {
    expectSameBits({ rule, constants: {}, clip: 'nothing', size: 103, seed: 3, every });
  }
});
