// A step whose kernels fail, one after the other: the error says exactly what has changed, or nothing has and the step can be
// taken again.
import * as tf from '@tensorflow/tfjs-core';
import {
  adam,
  adamw,
  adaptive,
  lookahead,
  momentum,
  sgd,
  SlowlaneError,
  type StepOptions,
} from 'slowlane';
import { describe, expect, test } from 'vitest';
import type { StateTensor } from '#src/optimizers/inner-optimizer.js';
import { noise, onEveryEngine, valuesOf } from '../engines.js';

interface Trainer extends tf.Optimizer {
  completeStep?(): boolean;
  state?(): readonly StateTensor[];
}

/** Runs `step`; its kernel number `n`, counted from 0, fails. False if it has fewer. */
function failingAt(n: number, step: () => void): { error: unknown; kernel: string } | null {
  const engine = tf.engine();
  const runKernel = engine.runKernel.bind(engine);
  let left = n;
  let kernel = '';
  const failing: typeof runKernel = (name, inputs, attrs) => {
    if (left-- === 0) {
      kernel = name;
      throw new RangeError('no memory');
    }
    return runKernel(name, inputs, attrs);
  };
  Object.defineProperty(engine, 'runKernel', { value: failing, configurable: true });
  try {
    step();
    return null;
  } catch (error) {
    return { error, kernel };
  } finally {
    Reflect.deleteProperty(engine, 'runKernel');
  }
}

class Run {
  readonly weights: tf.Variable[];
  readonly optimizer: Trainer;
  readonly #gradients: tf.Tensor[];

  constructor(make: () => Trainer, size: number) {
    this.weights = [1, 2, 3].map((seed) =>
      tf.tidy(() => tf.variable(noise([size], seed), true, `w${seed}`)),
    );
    this.#gradients = [4, 5, 6].map((seed) => noise([size], seed));
    this.optimizer = make();
  }

  minimize(): void {
    const loss = () => tf.addN(this.weights.map((w) => tf.sum(tf.square(w)))) as tf.Scalar;
    this.optimizer.minimize(loss, false, this.weights);
  }

  apply(): void {
    const named = this.weights.map(({ name }, i) => ({ name, tensor: this.#gradients[i] }));
    this.optimizer.applyGradients(named as { name: string; tensor: tf.Tensor }[]);
  }

  complete(): void {
    this.optimizer.completeStep?.();
  }

  get values(): number[][] {
    return this.weights.map(valuesOf);
  }

  /** What the optimizer keeps of each weight. */
  get state(): number[][][] {
    const state = this.optimizer.state?.() ?? [];
    const own = (weight: tf.Variable) => state.filter((each) => each.weight === weight);
    return this.weights.map((weight) => own(weight).map(({ variable }) => valuesOf(variable)));
  }

  dispose(): void {
    this.optimizer.dispose();
    tf.dispose([...this.weights, ...this.#gradients]);
  }
}

type Step = 'minimize' | 'apply' | 'complete';

interface Route {
  readonly make: () => Trainer;
  readonly before: readonly Step[];
  readonly step: Step;
  readonly size?: number;
  /** Not each kernel fails, but each of so many: quantizing takes dozens. */
  readonly every?: number;
}

const route = (
  make: () => Trainer,
  step: Step = 'minimize',
  before: Step[] = ['apply'],
): Route => ({
  make,
  step,
  before,
});
const byAdam = (options: StepOptions) => () => adam({ learningRate: 0.1, ...options });
const byMomentum = (options: StepOptions) => () => momentum({ learningRate: 0.1, ...options });
const bySgd = (options: StepOptions) => () => sgd({ learningRate: 0.1, ...options });
const q8 = { moments: 'device:q8' } as const;

const ROUTES: [string, Route][] = [
  ['kept gradients', route(byAdam({}))],
  ['gradients clipped by their norm', route(byAdam({ clipNorm: 1 }))],
  ['released gradients', route(byAdam({ gradients: 'release' }))],
  ['gradients of the caller', route(() => adamw({ learningRate: 0.1 }), 'apply')],
  ['quantized moments', { ...route(byMomentum(q8), 'apply'), size: 4096, every: 11 }],
  ['the first of two micro-batches', route(byAdam({ accumulate: 2 }), 'apply', ['apply', 'apply'])],
  ['the second of two', route(byAdam({ accumulate: 2 }), 'apply', ['apply', 'apply', 'apply'])],
  ['the second of two, by its mean', route(bySgd({ accumulate: 2 }), 'apply', ['apply'])],
  ['the second of two, clipped', route(bySgd({ accumulate: 2, clipNorm: 1 }), 'apply', ['apply'])],
  ['a step that is completed', route(byAdam({ accumulate: 4 }), 'complete', ['apply'])],
  ['a mean that is completed', route(bySgd({ accumulate: 4, clipNorm: 1 }), 'complete', ['apply'])],
  ['tf.train.adam in a Lookahead', route(() => lookahead(tf.train.adam(0.1), { workers: 0 }))],
  ['adam in a Lookahead', route(() => lookahead(adam({ learningRate: 0.1 }), { workers: 0 }))],
];

/** A copy that has taken the steps before. */
function started({ make, before, size = 3 }: Route): Run {
  const run = new Run(make, size);
  for (const step of before) run[step]();
  return run;
}

onEveryEngine(() => {
  describe.each(ROUTES)('%s', (_, given) => {
    test('each kernel fails once', () => {
      const whole = started(given);
      whole[given.step]();
      const [expected, expectedState] = [whole.values, whole.state];
      const { iterations } = whole.optimizer;
      whole.dispose();
      const before = tf.memory().numTensors;
      const seen = { untouched: 0, named: 0, taken: 0 };
      for (let n = 0; ; n += given.every ?? 1) {
        const run = started(given);
        const [values, state, steps] = [run.values, run.state, run.optimizer.iterations];
        const failed = failingAt(n, () => run[given.step]());
        if (failed === null) {
          run.dispose();
          break;
        }
        expect(run.optimizer.iterations).toBe(steps);
        const details = failed.error instanceof SlowlaneError ? failed.error.details : {};
        const {
          changedWeights: moved,
          tornWeights: torn = [],
          takenWeights: taken,
        } = details as {
          changedWeights?: string[];
          tornWeights?: string[];
          takenWeights?: string[];
        };
        const isNamed = (names: readonly string[] | undefined, i: number) =>
          names?.includes(run.weights[i]?.name ?? '') === true;
        run.values.forEach((now, i) =>
          expect([n, i, now]).toEqual([n, i, isNamed(moved, i) ? expected[i] : values[i]]),
        );
        run.state.forEach((now, i) => {
          if (isNamed(torn, i) || details['stateChanged'] !== undefined) return;
          const isNew = isNamed(moved, i) || isNamed(taken, i);
          expect([n, i, now]).toEqual([n, i, isNew ? expectedState[i] : state[i]]);
        });
        // Micro-batches go on where they stopped, because their gradients are given.
        const isAgainTheSame =
          torn.length === 0 &&
          details['stateChanged'] === undefined &&
          (moved === undefined || taken !== undefined);
        if (isAgainTheSame) {
          run[given.step]();
          expect([n, run.values, run.state]).toEqual([n, expected, expectedState]);
          expect(run.optimizer.iterations).toBe(iterations);
        }
        seen[moved === undefined ? 'untouched' : taken === undefined ? 'named' : 'taken'] += 1;
        run.dispose();
        // What TensorFlow.js copies for the backward pass it loses if the next copy fails.
        if (failed.kernel === 'Identity') tf.engine().state.numTensors = before;
        expect([n, tf.memory().numTensors]).toEqual([n, before]);
      }
      expect(seen.untouched).toBeGreaterThan(0);
      expect(seen.named + seen.taken).toBeGreaterThan(0);
    });
  });

  test('adaptive() fails to evaluate the loss once more: the step was taken, and the error says so', () => {
    const run = new Run(
      () => lookahead(adam(), { syncPeriod: 1, slowStepSize: adaptive(), workers: 0 }),
      3,
    );
    let calls = 0;
    const loss = (): tf.Scalar => {
      if (++calls === 2) throw new RangeError('no memory');
      return tf.addN(run.weights.map((w) => tf.sum(tf.square(w))));
    };
    const names = ['w1', 'w2', 'w3'];
    expect(() => run.optimizer.minimize(loss, false, run.weights)).toThrow(
      expect.objectContaining({ details: { changed: 3, of: 3, changedWeights: names } }),
    );
    expect(run.optimizer.iterations).toBe(1);
    run.dispose();
  });

  test('state that was torn: discard() leaves it, and reset() of the weight lets it begin afresh', async () => {
    const inner = adam();
    const optimizer = lookahead(inner, { syncPeriod: 5, workers: 0 });
    const run = new Run(() => optimizer, 3);
    await optimizer.attach(run.weights);
    const before = run.values;
    let torn: tf.Variable | undefined;
    for (let n = 0; torn === undefined; n++) {
      const failed = failingAt(n, () => run.apply());
      if (failed === null) throw new Error('no update was torn');
      if (!(failed.error instanceof SlowlaneError)) continue;
      const names = failed.error.details['tornWeights'] as string[] | undefined;
      torn = run.weights.find(({ name }) => names?.includes(name));
      if (torn === undefined) continue;
      expect(failed.error.message).toMatch(
        /Load a saved state\. Or go back with discard\(\).*leaves the state.*call reset\(\) of the inner optimizer/,
      );
    }
    const state = () =>
      inner.state().flatMap(({ variable, weight }) => (weight === torn ? valuesOf(variable) : []));
    await optimizer.discard();
    expect(run.values).toEqual(before);
    expect(state().some((value) => value !== 0)).toBe(true);
    inner.reset([torn]);
    expect(state()).toEqual([0, 0, 0, 0, 0, 0]);
    run.dispose();
  });

  test('the error names the weights, how many there are, and its cause', () => {
    const run = new Run(bySgd({}), 3);
    // Of each weight: the product with γ and the difference. The second weight's fails.
    const { error } = failingAt(2, () => run.apply()) ?? { error: null };
    expect(error).toMatchObject({
      code: 'STEP_FAILED',
      details: { changed: 1, of: 3, changedWeights: ['w1'] },
      cause: { message: 'no memory' },
    });
    expect(String(error)).toMatch(
      /failed when 1 of 3 weights had been updated \('w1'\); the others are as they were.*no memory/,
    );
    run.dispose();
  });
});
