// One update with tensor operations: what it computes, what it holds, and what it leaves behind when it fails.

import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';

import { clipFor, type Clip } from '#src/formula/clipping.js';
import { NEAREST } from '#src/formula/quantization.js';
import { dequantizeNumbers, quantizeNumbers } from '#src/formula/quantized-numbers.js';
import { updateWithTensors } from '#src/formula/tensor-algebra.js';
import type { Assignment } from '#src/formula/update-rule.js';
import type { QuantizedState, WeightUpdate } from '#src/formula/weight-update.js';

import { onEveryEngine, valuesOf } from '../engines.js';

const SIZE = 300;
/** weight ← weight − gradient */
const descend: Assignment<'m', never> = {
  target: 'weight',
  value: (x, o) => o.sub(x.weight, x.gradient),
};
/** m ← m + gradient, which moves no bit of 8-bit state by 0. */
const gather: Assignment<'m', never> = { target: 'm', value: (x, o) => o.add(x.m, x.gradient) };
const breaks: Assignment<'m', never> = {
  target: 'm',
  value: () => {
    throw new Error('no memory');
  },
};

afterEach(() => {
  tf.disposeVariables();
});

function updateOf(given: Partial<WeightUpdate> & Pick<WeightUpdate, 'weight' | 'gradient'>) {
  return {
    rule: null,
    formula: [descend],
    state: new Map<string, tf.Variable>(),
    quantized: null,
    rounding: NEAREST,
    takesGradient: false,
    clip: { by: 'nothing' },
    scalars: {},
    ...given,
  } satisfies WeightUpdate;
}

const variable = (values: readonly number[]) =>
  tf.tidy(() => tf.variable(tf.tensor1d([...values])));
const filled = (value: number) => Array.from({ length: SIZE }, () => value);

/** State tensors of the same values, quantized, in the order of their names. */
function quantizedState(values: Record<string, Float32Array>, kinds: QuantizedState['kinds']) {
  const words = new Map<string, tf.Variable>();
  const rows: Float32Array[] = [];
  for (const [name, own] of Object.entries(values)) {
    const made = quantizeNumbers(kinds.get(name) ?? 'signed', own);
    words.set(
      name,
      tf.tidy(() => tf.variable(tf.tensor2d(made.words, [2, 64], 'int32'), false)),
    );
    rows.push(made.scales);
  }
  const scales = tf.tidy(() =>
    tf.variable(
      tf.tensor2d(
        rows.flatMap((row) => [...row]),
        [rows.length, 2],
      ),
      false,
    ),
  );
  return { state: words, quantized: { scales, kinds } };
}

onEveryEngine(() => {
  const clips: [string, () => Clip][] = [
    ['nothing', () => ({ by: 'nothing' })],
    ['value', () => ({ by: 'value', limit: 1 })],
    ['norm', () => tf.tidy(() => keep(clipFor({ by: 'norm', limit: 1 }, [tf.tensor1d([3, 4])])))],
  ];
  const keep = (clip: Clip) => {
    if (clip.by === 'scale') tf.keep(clip.scale);
    return clip;
  };

  describe.each(clips)('a gradient that is clipped by %s', (by, make) => {
    const expected = { nothing: [-2, -4], value: [0, -1], norm: [1 - 0.6, -0.8] }[by] ?? [];

    test.each([false, true])('is disposed if it is taken: %s', (takesGradient) => {
      const clip = make();
      const weight = variable([1, 0]);
      const gradient = tf.tensor1d([3, 4]);
      const before = tf.memory().numTensors;
      let wasDisposed: boolean | undefined;
      const looks: Assignment<'m', never> = {
        target: 'weight',
        value(x, o) {
          wasDisposed = gradient.isDisposed;
          return descend.value(x, o);
        },
      };
      updateWithTensors(updateOf({ weight, gradient, clip, takesGradient, formula: [looks] }));
      valuesOf(weight).forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 6));
      // What is clipped takes the place of what was taken, before anything else is computed.
      expect(wasDisposed).toBe(takesGradient && by !== 'nothing');
      expect(gradient.isDisposed).toBe(takesGradient);
      expect(tf.memory().numTensors).toBe(before - (takesGradient ? 1 : 0));
      tf.dispose(gradient);
      if (clip.by === 'scale') clip.scale.dispose();
    });
  });

  test('a weight that is its own gradient is read before it is written', () => {
    const weight = variable([3, 4]);
    const m = variable([1, 1]);
    const before = tf.memory().numTensors;
    const keeps: Assignment<'m', never> = {
      target: 'm',
      value: (x, o) => o.add(x.m, x.gradient),
    };
    const state = new Map([['m', m]]);
    updateWithTensors(updateOf({ weight, gradient: weight, state, formula: [descend, keeps] }));
    expect([valuesOf(weight), valuesOf(m)]).toEqual([
      [0, 0],
      [4, 5], // 1 + 3, 1 + 4
    ]);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('a failing formula disposes the gradient that it took, and no other', () => {
    for (const takesGradient of [false, true]) {
      const weight = variable([1]);
      const gradient = tf.tensor1d([1]);
      const state = new Map([['m', variable([0])]]);
      const before = tf.memory().numTensors;
      expect(() =>
        updateWithTensors(updateOf({ weight, gradient, state, takesGradient, formula: [breaks] })),
      ).toThrow('no memory');
      expect(tf.memory().numTensors).toBe(before - (takesGradient ? 1 : 0));
      tf.dispose(gradient);
    }
  });

  test('an op disposes the intermediate results that it uses, and no operand', () => {
    const weight = variable([1, 2]);
    const gradient = tf.tensor1d([2, 3]);
    const held: number[] = [];
    const long: Assignment<'m', never> = {
      target: 'weight',
      value(x, o) {
        const note = <T>(result: T) => {
          held.push(tf.memory().numTensors);
          return result;
        };
        const g = x.gradient;
        const ratio = note(o.div(o.square(g), o.mul(g, g)));
        const root = note(o.sqrt(o.abs(o.sub(ratio, o.add(g, g)))));
        return note(o.mul(o.sign(root), g));
      },
    };
    updateWithTensors(updateOf({ weight, gradient, formula: [long] }));
    expect(valuesOf(weight)).toEqual([2, 3]); // sign(√|1 − 2g|) = 1
    expect(held.map((count) => count - (held[0] ?? NaN))).toEqual([0, 0, 0]);
    gradient.dispose();
  });

  test('a rule that assigns a state it does not have is named', () => {
    const gradient = tf.tensor1d([1]);
    const update = updateOf({ weight: variable([1]), gradient, formula: [gather] });
    expect(() => updateWithTensors(update)).toThrow("The rule has no state 'm'.");
    gradient.dispose();
  });

  test('tears counts the assignments that were made before one fails', () => {
    const weight = variable([1]);
    const gradient = tf.tensor1d([1]);
    let torn = 0;
    const update = updateOf({
      weight,
      gradient,
      state: new Map([['m', variable([0])]]),
      formula: [descend, gather, breaks],
      tears: () => (torn += 1),
    });
    expect(() => updateWithTensors(update)).toThrow('no memory');
    expect(torn).toBe(2);
    gradient.dispose();
  });

  describe('8-bit state', () => {
    const m = Float32Array.from({ length: SIZE }, (_, i) => (i % 7) - 3);
    // Below 2⁻¹²⁶ they become that when they are decoded, so that they would be quantized to other bytes.
    const v = m.map((value) => (value === 3 ? 1e-37 : 1e-40 * value ** 2));
    const kinds: QuantizedState['kinds'] = new Map([['v', 'positive']]);

    test('what the formula does not assign keeps its bytes and its scales', () => {
      const weight = variable(filled(1));
      const { state, quantized } = quantizedState({ v, m }, kinds);
      const scalesBefore = valuesOf(quantized.scales);
      const bytesBefore = valuesOf(state.get('v') as tf.Variable);
      const gradient = tf.tensor1d(filled(2));
      const before = tf.memory().numTensors;
      updateWithTensors(
        updateOf({ weight, gradient, state, quantized, rounding: 0.1, formula: [gather, descend] }),
      );
      expect(tf.memory().numTensors).toBe(before);
      expect(valuesOf(weight)).toEqual(filled(-1));
      expect(valuesOf(state.get('v') as tf.Variable)).toEqual(bytesBefore);
      // m was −3…3, to the nearest byte, and is 2 more: −1…5.
      const old = quantizeNumbers('signed', m);
      const gathered = dequantizeNumbers('signed', old.words, old.scales, SIZE).map((x) => x + 2);
      const next = quantizeNumbers('signed', gathered, 0.1);
      expect(valuesOf(state.get('m') as tf.Variable)).toEqual([...next.words]);
      expect(valuesOf(quantized.scales)).toEqual([...scalesBefore.slice(0, 2), 5, 5]);
      gradient.dispose();
    });

    test('an update that fails halfway has changed nothing and holds nothing', () => {
      const weight = variable(filled(1));
      const { state, quantized } = quantizedState({ m, v }, kinds);
      const all = () => [weight, ...state.values(), quantized.scales].map(valuesOf);
      const expected = all();
      const gradient = tf.tensor1d(filled(2));
      const before = tf.memory().numTensors;
      const formula = [descend, gather, breaks];
      expect(() =>
        updateWithTensors(updateOf({ weight, gradient, state, quantized, formula })),
      ).toThrow('no memory');
      expect(all()).toEqual(expected);
      expect(tf.memory().numTensors).toBe(before);
      gradient.dispose();
    });

    test('float32 values that are held for the update are no trainable weights', () => {
      const weight = variable(filled(1));
      const { state, quantized } = quantizedState({ m, v }, kinds);
      const gradient = tf.tensor1d(filled(2));
      let trainable: tf.Variable[] = [];
      const looks: Assignment<'m', never> = {
        target: 'm',
        value(x, o) {
          const registered = Object.values(tf.engine().state.registeredVariables);
          trainable = registered.filter((variable) => variable.trainable);
          return gather.value(x, o);
        },
      };
      updateWithTensors(updateOf({ weight, gradient, state, quantized, formula: [looks] }));
      expect(trainable.map(({ name }) => name)).toEqual([weight.name]);
      gradient.dispose();
    });
  });
});
