import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { checkpoint } from '#src/autograd/checkpoint.js';
import { sgd } from '#src/optimizers/index.js';
import { noise, onEveryEngine, valuesOf } from '../engines.js';

const meanSquare = (x: tf.Tensor): tf.Scalar => tf.mean<tf.Scalar>(tf.square(x));

/** Fails in the n-th run. */
function failing(inRun: number, block: (x: tf.Tensor) => tf.Tensor) {
  let runs = 0;
  return (x: tf.Tensor) => {
    const y = block(x);
    runs += 1;
    if (runs === inRun) throw new Error(`run ${runs}`);
    return tf.tanh(y);
  };
}

onEveryEngine(() => {
  let x: tf.Tensor;
  let w: tf.Variable;
  beforeEach(() => {
    tf.disposeVariables();
    x = tf.tidy(() => noise([4, 4], 1));
    w = tf.tidy(() => tf.variable(noise([4, 4], 2), true, 'w'));
  });

  const OPTIMIZERS: [string, () => tf.Optimizer][] = [
    ['tf.train.sgd', () => tf.train.sgd(0.1)],
    ['sgd, keep', () => sgd()],
    ['sgd, release', () => sgd({ gradients: 'release' })],
  ];

  describe.each(OPTIMIZERS)('%s', (name, make) => {
    test('fn fails when it runs again: nothing is left behind and the next step works', () => {
      const optimizer = make();
      const fine = checkpoint((y: tf.Tensor) => tf.tanh(tf.matMul(y, w)));
      const moving = tf.tidy(() => tf.variable(tf.scalar(1), false));
      const block = failing(3, (y) => {
        moving.assign(tf.add(moving, 1));
        return tf.dropout(tf.matMul(y, w), 0.5);
      });
      const inner = checkpoint(block);
      const loss = () => meanSquare(fine(checkpoint((y: tf.Tensor) => inner(fine(y)))(x)));
      const [before, values] = [tf.memory().numTensors, valuesOf(w)];
      const random: unknown = Reflect.get(Math, 'random');
      const assign: unknown = Reflect.get(tf.Variable.prototype, 'assign');
      // Runs: forward, in the outer block again, for its own gradient.
      expect(() => tf.tidy(() => void optimizer.minimize(loss))).toThrow('run 3');
      expect(tf.memory().numTensors).toBe(before);
      expect(valuesOf(w)).toEqual(values);
      expect(valuesOf(moving)).toEqual([2]);
      expect(Reflect.get(Math, 'random')).toBe(random);
      expect(Reflect.get(tf.Variable.prototype, 'assign')).toBe(assign);
      expect(tf.engine().state.gradientDepth).toBe(0);
      optimizer.minimize(loss);
      expect(valuesOf(w)).not.toEqual(values);
      expect(valuesOf(moving)).toEqual([3]);
      expect(tf.memory().numTensors).toBe(before);
    });

    test('fn fails in its first run: it leaves nothing behind', () => {
      const optimizer = make();
      const block = failing(1, (y) => checkpoint((z: tf.Tensor) => tf.matMul(z, w))(tf.relu(y)));
      const loss = () => meanSquare(checkpoint(block)(x));
      const before = tf.memory().numTensors;
      expect(() => tf.tidy(() => void optimizer.minimize(loss))).toThrow('run 1');
      expect(tf.memory().numTensors).toBe(before);
      for (let i = 0; i < 3; i++) optimizer.minimize(loss);
      expect(tf.memory().numTensors).toBe(before);
    });

    test('an error that the loss catches leaves the rest of the pass as it was', () => {
      const optimizer = make();
      const first = checkpoint((y: tf.Tensor) => tf.tanh(tf.matMul(y, w)));
      const block = checkpoint(failing(1, (y) => tf.matMul(y, w)));
      const loss = () => {
        const y = first(x);
        try {
          return meanSquare(block(y));
        } catch {
          return meanSquare(tf.matMul(y, w));
        }
      };
      const plain = tf.tidy(() => {
        const slow = tf.variableGrads(() => meanSquare(tf.matMul(tf.tanh(tf.matMul(x, w)), w)))
          .grads['w']!;
        return valuesOf(tf.sub(w, tf.mul(slow, name === 'tf.train.sgd' ? 0.1 : 0.01)));
      });
      const before = tf.memory().numTensors;
      optimizer.minimize(loss);
      expect(tf.memory().numTensors).toBe(before);
      for (const [i, value] of valuesOf(w).entries()) expect(value).toBeCloseTo(plain[i]!, 6);
    });
  });

  test('a function that does something else the second time is told so', () => {
    let runs = 0;
    const optimizer = sgd({ gradients: 'release' });
    const [before, values] = [tf.memory().numTensors, valuesOf(w)];
    const flips = checkpoint((y: tf.Tensor) =>
      (runs++ % 2 === 0 ? tf.tanh : tf.relu)(tf.matMul(y, w)),
    );
    expect(() => optimizer.minimize(() => meanSquare(flips(x)))).toThrow(
      'must do the same when it runs again for its gradients, but op 2 was Tanh [4,4] and is Relu [4,4].',
    );
    const grows = checkpoint((y: tf.Tensor) => {
      let z = y;
      for (let i = 0; i < runs; i++) z = tf.matMul(z, w);
      runs += 1;
      return z;
    });
    expect(() => optimizer.minimize(() => meanSquare(grows(x)))).toThrow(
      'op 3 was none and is BatchMatMul',
    );
    for (const [[first, again], message] of [
      [[0, 1], 'drew 0 random numbers in its first run and more than 0 in the recomputation'],
      [[2, 1], 'drew 2 random numbers in its first run and 1 in the recomputation'],
    ] as const) {
      let draws: number = first;
      const block = checkpoint((y: tf.Tensor) => {
        for (let i = 0; i < draws; i++) Math.random();
        draws = again;
        return tf.matMul(y, w);
      });
      expect(() => optimizer.minimize(() => meanSquare(block(x)))).toThrow(message);
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(valuesOf(w)).toEqual(values);
  });

  test('an activation that is no argument, and a tensor that is gone when it is read again', () => {
    const optimizer = sgd({ gradients: 'release' });
    const before = tf.memory().numTensors;
    const captures = () => {
      const hidden = tf.matMul(x, w);
      return meanSquare(checkpoint((y: tf.Tensor) => tf.add(hidden, tf.matMul(y, w)))(x));
    };
    expect(() => optimizer.minimize(captures)).toThrow(
      'reads a tensor of shape [4,4] that was computed before it in the same forward pass. Pass it as an argument.',
    );
    const drops = () => {
      const mask = tf.ones([4, 1]);
      return meanSquare(checkpoint((y: tf.Tensor) => tf.mul(mask, tf.matMul(y, w)))(x));
    };
    expect(() => optimizer.minimize(drops)).toThrow(
      'reads a tensor of shape [4,1], which was disposed',
    );
    expect(tf.memory().numTensors).toBe(before);
    const passes = () => {
      const mask = tf.ones([4, 1]);
      return meanSquare(checkpoint((y, m) => tf.mul(m, tf.matMul(y, w)))(x, mask));
    };
    optimizer.minimize(passes);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('what is no function, no tensor, or not one tensor', () => {
    expect(() => checkpoint(3 as never)).toThrow(
      new TypeError('checkpoint() takes a function of tensors, got 3.'),
    );
    const block = checkpoint((y: tf.Tensor) => tf.square(y));
    expect(() => block(2 as never)).toThrow('takes tensors, got 2 as argument 1');
    const before = tf.memory().numTensors;
    const several = checkpoint(((y: tf.Tensor) => [tf.square(y), y]) as never) as () => tf.Scalar;
    const waits = checkpoint((() => Promise.resolve(x)) as never) as () => tf.Scalar;
    const given = several as (y: tf.Tensor) => tf.Scalar;
    expect(() => tf.variableGrads(() => given(w))).toThrow(
      'gives one tensor, got an array of 2 tensors. Join several by tf.concat or tf.stack',
    );
    expect(() => tf.tidy(() => given(x))).toThrow(TypeError);
    expect(() => waits()).toThrow('got a Promise');
    expect(tf.memory().numTensors).toBe(before);
  });
});
