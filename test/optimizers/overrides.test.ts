// Other moments for some weights: each weight's numbers are those of its own policy.

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { type FitCallbacks, lookahead } from 'slowlane';
import { describe, expect, test, vi } from 'vitest';
import { Adam } from '#src/optimizers/rules/adam.js';
import { adam, momentum, sgd } from '#src/optimizers/index.js';
import type { MomentPolicy, StepOptions } from '#src/optimizers/step-options.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';
import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';

const POLICIES: readonly MomentPolicy[] = ['device:f32', 'device:q8', 'host:f32', 'host:q8'];
/** All four in one optimizer, for weights that are called after them. */
const MIXED: StepOptions = {
  moments: 'device:q8',
  overrides: [
    { weights: 'plain', moments: 'device:f32' },
    { weights: /^host.f32/, moments: 'host:f32' },
    { weights: ({ name }) => name.startsWith('host-q8'), moments: 'host:q8' },
  ],
};
const NAMES = ['plain', 'device-q8', 'host-f32', 'host-q8'] as const;
const SIZE = 5000;

describe('the option', () => {
  test('a wrong entry says where it is and what is allowed', () => {
    const wrong = (overrides: unknown) => () => adam({ overrides: overrides as never });
    expect(wrong({})).toThrow('overrides must be an array of { weights, … }, got {} (object).');
    expect(wrong([{ weights: 'a', moments: 'disk' }])).toThrow(
      `overrides[0].moments must be 'device:f32', 'device:q8', 'host:f32' or 'host:q8', got "disk"`,
    );
    expect(wrong([{ weights: 'a' }])).toThrow('overrides[0] sets nothing');
    expect(wrong([{ moments: 'host:q8' }])).toThrow(/overrides\[0\]\.weights/);
    expect(wrong([{ weights: 'a', moments: 'host:q8', slow: 1 }])).toThrow(
      "overrides[0] has no option 'slow'",
    );
  });

  test('sgd has no state that it could be for', () => {
    expect(() => sgd({ overrides: [{ weights: 'a', moments: 'host:q8' }] })).toThrow(
      new TypeError(
        'sgd has no state, so overrides of its moments would change nothing. Leave overrides out.',
      ),
    );
  });

  test('the config keeps names and expressions, and refuses a function', () => {
    const overrides = [
      { weights: 'dense_1/kernel', moments: 'host:q8' },
      { weights: /embedding_\d/i, moments: 'device:f32' },
    ] as const;
    const config = adam({ moments: 'device:q8', overrides }).getConfig();
    const again = Adam.fromConfig(Adam, JSON.parse(JSON.stringify(config)));
    expect(again.getConfig()).toEqual(config);
    // tfjs would turn snake_case into camelCase.
    expect(JSON.stringify(config['overrides'])).not.toContain('_');
    expect(adam().getConfig()).not.toHaveProperty('overrides');
    expect(() => adam(MIXED).getConfig()).toThrow(
      expect.objectContaining({ code: 'NOT_SERIALIZABLE' }),
    );
  });

  test('lookahead refuses what needs all moments in float32 on the device', () => {
    const one = { overrides: [{ weights: 'a', moments: 'host:f32' }] } as const;
    expect(() => lookahead(adam(one), { innerState: 'interpolate' })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_INNER' }),
    );
  });
});

onEveryEngine(() => {
  const weightsOf = (names: readonly string[]) =>
    names.map((name, i) => tf.tidy(() => tf.variable(noise([SIZE], i + 1), true, name)));
  const step = async (optimizer: WeightwiseOptimizer, weights: tf.Variable[]) => {
    optimizer.minimize(() => tf.addN<tf.Scalar>(weights.map(halfSquare)), false, weights);
    await optimizer.flush();
  };
  const savedOf = async (optimizer: WeightwiseOptimizer) => {
    const [, ...state] = await optimizer.getWeights();
    return Promise.all(state.map(async ({ tensor }) => [...(await tensor.data<'float32'>())]));
  };
  /** `steps` calls of minimize: values and state of each weight. */
  const trained = async (make: () => WeightwiseOptimizer, names: readonly string[], steps = 4) => {
    const weights = weightsOf(NAMES);
    const optimizer = make();
    const used = weights.filter(({ name }) => names.includes(name));
    for (let i = 0; i < steps; i++) await step(optimizer, used);
    const result = { values: used.map(valuesOf), state: await savedOf(optimizer) };
    optimizer.dispose();
    tf.dispose(weights);
    return result;
  };

  describe.each(['keep', 'release'] as const)('gradients: %s', (gradients) => {
    test.each([1, 2])('%i micro-batches: the bits of each policy alone', async (accumulate) => {
      const before = tf.memory().numTensors;
      vi.spyOn(console, 'warn').mockReturnValue(undefined);
      const mixed = await trained(() => adam({ ...MIXED, gradients, accumulate }), NAMES);
      for (const [i, name] of NAMES.entries()) {
        const moments = POLICIES[i] ?? 'device:f32';
        const alone = await trained(() => adam({ moments, gradients, accumulate }), [name]);
        expect(mixed.values[i]).toEqual(alone.values[0]);
        expect(mixed.state.slice(2 * i, 2 * i + 2)).toEqual(alone.state);
      }
      // 8 bits are other numbers: the policies did differ.
      expect(mixed.state[2]).not.toEqual(mixed.state[0]);
      vi.restoreAllMocks();
      expect(tf.memory().numTensors).toBe(before);
    });
  });

  test('bytes: 8 an element of the weight in float32, 2 and two scales a block in 8 bits', () => {
    const weights = weightsOf(['embedding', 'dense']);
    const { numBytes } = tf.memory();
    const overrides = [{ weights: 'embedding', moments: 'device:q8' }] as const;
    const optimizer = adam({ overrides });
    optimizer.adopt(weights);
    // 5,000 elements are 20 blocks of 256.
    expect(tf.memory().numBytes - numBytes).toBe(2 * 20 * (256 + 4) + 2 * 4 * SIZE);
    expect(weights.map((weight) => optimizer.momentsOf(weight))).toEqual([
      'device:q8',
      'device:f32',
    ]);
    expect(optimizer.state().map(({ variable }) => variable.name)).toEqual([
      'embedding/scales',
      'dense/m',
      'dense/v',
    ]);
    optimizer.dispose();
    tf.dispose(weights);
    expect(tf.memory().numBytes).toBe(numBytes - 2 * 4 * SIZE);
  });

  test('the first entry that matches counts, and small weights stay float32', () => {
    const [large, small] = [
      tf.variable(tf.zeros([4096]), true, 'layer/kernel'),
      tf.variable(tf.zeros([4095]), true, 'layer/bias'),
    ];
    const optimizer = momentum({
      overrides: [
        { weights: 'layer', moments: 'host:q8' },
        { weights: /kernel/, moments: 'device:f32' },
      ],
    });
    expect(optimizer.momentsOf(large)).toBeUndefined();
    optimizer.adopt([large, small]);
    expect(optimizer.momentsOf(large)).toBe('host:q8');
    expect(optimizer.momentsOf(small)).toBe('device:f32');
    optimizer.dispose();
    tf.disposeVariables();
  });

  test('state restored into the same policies goes on bit for bit; into others it is converted', async () => {
    vi.spyOn(console, 'warn').mockReturnValue(undefined);
    const [weights, copies] = [weightsOf(NAMES), weightsOf(NAMES.map((name) => `${name}_1`))];
    const original = adam(MIXED);
    for (let i = 0; i < 3; i++) await step(original, weights);
    const saved = await original.getWeights();
    const same = adam({
      ...MIXED,
      overrides: (MIXED.overrides ?? []).map((entry) =>
        entry.weights === 'plain' ? { ...entry, weights: 'plain_1' } : entry,
      ),
    });
    await same.setWeights(saved);
    for (const [i, copy] of copies.entries()) copy.assign(weights[i] as tf.Tensor);
    for (const optimizer of [original, same]) {
      await step(optimizer, optimizer === original ? weights : copies);
    }
    expect(copies.map(valuesOf)).toEqual(weights.map(valuesOf));
    expect(await savedOf(same)).toEqual(await savedOf(original));
    const plain = adam();
    await plain.setWeights(await original.getWeights());
    plain.adopt(copies);
    expect(await savedOf(plain)).toEqual(await savedOf(original)); // float32 holds all of them
    for (const optimizer of [original, same, plain]) optimizer.dispose();
    tf.dispose([...weights, ...copies]);
    vi.restoreAllMocks();
  });

  test('a loop of your own is warned once, after the first complete step', () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined);
    const weights = weightsOf(['dense/kernel']);
    const optimizer = adam({
      accumulate: 2,
      overrides: [{ weights: 'dense/kernal', moments: 'device:q8' }],
    });
    const warnings = [];
    for (let i = 0; i < 4; i++) {
      optimizer.minimize(() => halfSquare(weights[0] as tf.Variable), false, weights);
      warnings.push(warn.mock.calls.length);
    }
    expect(warnings).toEqual([0, 1, 1, 1]); // the second micro-batch completes the step
    expect(warn.mock.calls[0]?.[0]).toMatch(
      /^slowlane: the inner optimizer's overrides\[0\] matches no weight.*'dense\/kernel'/,
    );
    optimizer.dispose();
    tf.dispose(weights);
    warn.mockRestore();
  });

  test.each<[string, (inner: WeightwiseOptimizer) => tf.Optimizer & { callbacks(): FitCallbacks }]>(
    [
      ['alone', (inner) => inner],
      ['in a Lookahead', (inner) => lookahead(inner)],
    ],
  )('%s, fit with callbacks() refuses an entry without a match before a step', async (_, wrap) => {
    const model = tfl.sequential({
      layers: [tfl.layers.dense({ units: 1, inputShape: [2], name: 'only' })],
    });
    const fit = async (weights: string) => {
      const optimizer = wrap(adam({ overrides: [{ weights, moments: 'device:q8' }] }));
      model.compile({ optimizer, loss: 'meanSquaredError' });
      const [xs, ys] = [tf.ones([4, 2]), tf.ones([4, 1])];
      try {
        await model.fit(xs, ys, { epochs: 1, verbose: 0, callbacks: optimizer.callbacks() });
        return optimizer.iterations;
      } finally {
        tf.dispose([xs, ys]);
        optimizer.dispose();
      }
    };
    const before = valuesOf(model.getWeights()[0] as tf.Tensor);
    await expect(fit('onyl')).rejects.toMatchObject({ code: 'UNMATCHED_OVERRIDE' });
    expect(valuesOf(model.getWeights()[0] as tf.Tensor)).toEqual(before);
    const warn = vi.spyOn(console, 'warn').mockReturnValue(undefined);
    expect(await fit('only')).toBe(1);
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
    model.dispose();
  });
});
