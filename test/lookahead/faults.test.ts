// Faults in the middle of things: a worker killed in each stage of a sync, a device that fails.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs-core';
import { adam, Lookahead, lookahead, type LookaheadOptions, sgd } from 'slowlane';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Device } from '#src/engine/device.js';
import { checkLookaheadOptions } from '#src/lookahead/options.js';

import { againstBuild, entry } from '../built.js';
import { halfSquare, noise, onEveryEngine, valuesOf } from '../engines.js';
import type { Fault } from '../workers/faulty/worker.js';
import { recordThreads, type ThreadRecord } from '../workers/threads.js';

const OPTIONS: LookaheadOptions = {
  syncPeriod: 2,
  slowStepSize: 0.3,
  chunkBytes: 20_000,
  workers: 2,
};
const SIZES = [7000, 3, 12_000];

/** Four syncs of four chunks each; `during` is called with every pull and push of them. */
async function train(optimizer: Lookahead, during: (moved: 'pull' | 'push') => void = () => {}) {
  const weights = SIZES.map((size) => tf.variable(noise([size], size)));
  const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
  const stop = onMoves(during);
  try {
    for (let i = 0; i < 8; i++) await optimizer.step(loss, false, weights);
  } finally {
    stop();
  }
  const values = weights.map(valuesOf);
  const slow = await optimizer.withSlowWeights(() => weights.map(valuesOf));
  await optimizer.finish();
  optimizer.dispose();
  tf.dispose(weights);
  return { values, slow };
}

/** Calls `during` with every pull and push of a device adapter until the result is called. */
function onMoves(during: (moved: 'pull' | 'push') => void): () => void {
  moves.hook = during;
  return () => (moves.hook = () => {});
}

const moves = vi.hoisted(() => ({ hook: (() => {}) as (moved: 'pull' | 'push') => void }));

vi.mock('#src/engines/current-device.js', async (original) => {
  const { currentDevice } = await original<typeof import('#src/engines/current-device.js')>();
  return {
    currentDevice(): Device {
      const device = currentDevice();
      return {
        pull(tensor, start, into) {
          moves.hook('pull');
          return device.pull(tensor, start, into);
        },
        write() {
          const writer = device.write();
          return {
            push(variable, start, from) {
              moves.hook('push');
              return writer.push(variable, start, from);
            },
          };
        },
      };
    },
  };
});

/** Threads that an earlier test has left idle blend for a later one too. */
const allThreads = recordThreads();

onEveryEngine(() => {
  let folder: string;
  let threads: ThreadRecord;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'slowlane-fault-'));
    threads = recordThreads();
  });
  afterEach(() => {
    threads.stopRecording();
    rmSync(folder, { recursive: true });
    delete process.env['SLOWLANE_FAULT'];
  });

  // A file that is given gets chunks of few weights too.
  const make = (workerFile: string) =>
    new Lookahead(adam({ learningRate: 0.1 }), {
      ...checkLookaheadOptions({ ...OPTIONS, workerTimeoutMs: 20_000 }),
      workerFile: new URL(`file://${entry(workerFile)}`),
    });
  const worker = againstBuild ? 'dist/workers/blend.js' : 'workers/blend.ts';

  const undisturbed = () =>
    train(lookahead(adam({ learningRate: 0.1 }), { ...OPTIONS, workers: 0 }));

  describe('a worker that dies in the blend: bit-identical weights', () => {
    test.each(['start', 'mid-compute', 'marked', 'mid-copy', 'between copies', 'end'] as const)(
      '%s',
      async (at) => {
        const fault: Fault = { at, block: 1, by: 'exit', times: 2, folder };
        process.env['SLOWLANE_FAULT'] = JSON.stringify(fault);
        const expected = await undisturbed();
        expect(await train(make('test/workers/faulty/worker.ts'))).toEqual(expected);
        expect(threads.started.length).toBeGreaterThan(2); // it did die
      },
    );
  });

  test.each(['pull', 'push'] as const)(
    'threads killed during a %s: bit-identical weights',
    async (when) => {
      const expected = await undisturbed();
      let kills = 0;
      const result = await train(make(worker), (moved) => {
        const victim = [...allThreads.alive][0];
        if (moved !== when || !victim || kills === 3) return;
        kills++;
        void victim.terminate();
      });
      expect(result).toEqual(expected);
      expect(kills).toBe(3);
    },
  );

  test('no worker to be had: inline, one warning, the same bits', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const expected = await undisturbed();
    const optimizer = make(`test/no-worker-on-${tf.getBackend()}.ts`); // a message comes once
    expect(await train(optimizer)).toEqual(expected);
    expect(optimizer.stats().workers).toBe('inline');
    const messages = warn.mock.calls.map(([message]) => String(message));
    expect(messages.filter((message) => message.includes('worker threads'))).toHaveLength(1);
    warn.mockRestore();
  });

  describe('a device that fails', () => {
    /** Fails at the n-th pull or push from now on. */
    function failAt(n: number): () => void {
      let moved = 0;
      return onMoves(() => {
        if (++moved === n) throw new Error('the device is gone');
      });
    }

    test.each([1, 2, 3, 5, 6, 7, 8, 10])(
      'in a sync, at move %i: sync() does the rest, to the bit',
      async (n) => {
        const expected = await undisturbed();
        const optimizer = make(worker);
        const weights = SIZES.map((size) => tf.variable(noise([size], size)));
        const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
        for (let i = 0; i < 3; i++) await optimizer.step(loss, false, weights);
        optimizer.minimize(loss, false, weights);
        const stop = failAt(n);
        await expect(optimizer.sync()).rejects.toThrow('the device is gone');
        stop();
        expect(() => optimizer.minimize(loss, false, weights)).toThrow(
          /broke off.*sync\(\).*discard\(\)/s,
        );
        await optimizer.sync();
        for (let i = 4; i < 8; i++) await optimizer.step(loss, false, weights);
        expect(weights.map(valuesOf)).toEqual(expected.values);
        await optimizer.finish();
      },
    );

    test('in a sync, and then a weight is replaced: the error names discard() alone, which helps', async () => {
      const optimizer = make(worker);
      const weights = SIZES.map((size) => tf.variable(noise([size], size)));
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      for (let i = 0; i < 3; i++) await optimizer.step(loss, false, weights);
      optimizer.minimize(loss, false, weights);
      const stop = failAt(2);
      await expect(optimizer.sync()).rejects.toThrow('the device is gone');
      stop();
      tf.tidy(() => weights[0]?.assign(tf.onesLike(weights[0])));
      for (const call of [() => optimizer.sync(), () => optimizer.resync()]) {
        const refused = {
          code: 'WEIGHTS_REPLACED',
          message: expect.stringMatching(/: await discard/),
        };
        await expect(call()).rejects.toMatchObject(refused);
      }
      await optimizer.discard();
      await optimizer.step(loss, false, weights);
      await optimizer.finish();
    });

    test.each([1, 2, 3, 4, 5, 6, 7, 8])(
      'in withSlowWeights, at move %i: the fast weights come back',
      async (n) => {
        const optimizer = make(worker);
        const weights = SIZES.map((size) => tf.variable(noise([size], size)));
        const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
        await optimizer.step(loss, false, weights);
        const fast = weights.map(valuesOf);
        const stop = failAt(n);
        const look = optimizer.withSlowWeights(() => 'looked');
        await expect(look).rejects.toThrow('the device is gone');
        stop();
        await optimizer.sync(); // puts back what is missing, if anything is
        expect(weights.map(valuesOf)).toEqual(fast);
        await optimizer.step(loss, false, weights);
      },
    );

    test('in the first capture: nothing is lost, sync() captures again', async () => {
      const x = tf.variable(noise([100], 1));
      const start = valuesOf(x);
      const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 3, workers: 0 });
      const stop = failAt(1);
      const step = optimizer.step(() => tf.sum(x), false, [x]);
      await expect(step).rejects.toThrow('the device is gone');
      stop();
      expect(() => optimizer.minimize(() => tf.sum(x), false, [x])).toThrow(/broke off/);
      await optimizer.sync();
      await optimizer.step(() => tf.sum(x), false, [x]);
      await optimizer.discard();
      expect(valuesOf(x)).toEqual(start);
    });
  });
});

onEveryEngine(() => {
  /** Two weights of one chunk each, in a swap whose putting back failed halfway. */
  async function halfPutBack() {
    const weights = [tf.variable(tf.tensor1d([10])), tf.variable(tf.tensor1d([10]))];
    const optimizer = lookahead(sgd({ learningRate: 1 }), {
      syncPeriod: 9,
      workers: 0,
      chunkBytes: 4,
    });
    await optimizer.step(() => tf.addN(weights.map((w) => tf.sum(w))) as tf.Scalar, false, weights);
    let pushes = 0;
    const stop = onMoves((moved) => {
      if (moved === 'push' && ++pushes === 4) throw new Error('the device is gone');
    });
    await expect(optimizer.withSlowWeights(() => {})).rejects.toThrow('the device is gone');
    stop();
    expect(weights.flatMap(valuesOf)).toEqual([9, 10]);
    return { weights, optimizer };
  }

  test('a call that fails itself does not hide that something broke off before', async () => {
    const { weights, optimizer } = await halfPutBack();
    await expect(optimizer.setWeights([{ name: 'x', tensor: tf.scalar(1) }])).rejects.toThrow(
      /must begin with/,
    );
    await optimizer.sync();
    expect(weights.flatMap(valuesOf)).toEqual([9, 9]);
  });

  test('resync() first does the rest of what broke off', async () => {
    const { weights, optimizer } = await halfPutBack();
    await optimizer.resync();
    expect(weights.flatMap(valuesOf)).toEqual([9, 9]);
    await optimizer.withSlowWeights(() => expect(weights.flatMap(valuesOf)).toEqual([9, 9]));
  });

  test('dispose() first puts the fast weights back', async () => {
    const { weights, optimizer } = await halfPutBack();
    optimizer.dispose();
    await new Promise((resolve) => setImmediate(resolve));
    expect(weights.flatMap(valuesOf)).toEqual([9, 9]);
  });
});
