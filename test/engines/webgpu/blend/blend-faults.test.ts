// Slow weights blended by the device, when something is refused or fails: nothing is lost, nothing is wrong
// in silence, and training can go on.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, sgd } from 'slowlane';
import { expect, test, vi } from 'vitest';

import type { BudgetedBackend } from '#src/engines/webgpu/budgeted-backend.js';

import { halfSquare, noise, read, slowOf } from '../../../engines.js';
import { describeWebGPU, errorOf, start, variable } from '../engine.js';

/** Runs `work` while the device refuses what moves slow weights; it says so later. */
async function whileFailing<T>(backend: BudgetedBackend, work: () => Promise<T>): Promise<T> {
  const submit = backend.submitOwn.bind(backend);
  backend.submitOwn = (commands, written) => {
    // Only moves of pieces: the check of the weights is let through.
    if (new Error().stack?.includes('PieceMover') === true) {
      backend.device.createBuffer({ size: 4, usage: 0 });
    }
    return submit(commands, written);
  };
  try {
    return await work();
  } finally {
    backend.submitOwn = submit;
  }
}

/** Runs `work` while there is no memory on the device for `bytes` or more. */
async function withoutRoom<T>(backend: BudgetedBackend, bytes: number, work: () => Promise<T>) {
  backend.pool.trim();
  const { pool } = backend;
  const make = pool.makeRoom.bind(pool);
  pool.makeRoom = (size, usage) => {
    if (size >= bytes) throw new RangeError('no room');
    make(size, usage);
  };
  try {
    return await work();
  } finally {
    pool.makeRoom = make;
  }
}

/** Runs `work` while the system refuses the `n`-th piece of host memory, plain or mapped, and those after it. */
async function withoutHostMemory<T>(
  { device }: BudgetedBackend,
  n: number,
  work: () => Promise<T>,
) {
  const create = device.createBuffer.bind(device);
  let made = 0;
  const refuse = () => {
    if (++made >= n) throw new RangeError('no memory');
  };
  device.createBuffer = (descriptor) => {
    if (descriptor.mappedAtCreation === true && (descriptor.usage & 0x80) === 0) refuse();
    return create(descriptor);
  };
  vi.stubGlobal(
    'Uint8Array',
    new Proxy(Uint8Array, {
      construct(target, given, made) {
        if (new Error().stack?.includes('createPlain') === true) refuse();
        return Reflect.construct(target, given, made) as Uint8Array;
      },
    }),
  );
  try {
    return await work();
  } finally {
    device.createBuffer = create;
    vi.unstubAllGlobals();
  }
}

describeWebGPU(() => {
  test('a capture that the device fails is made again, not taken for zeros', async () => {
    const { backend } = await start();
    const weight = variable([65, 65], 1);
    const values = await read(weight);
    const optimizer = lookahead(sgd({ learningRate: 0 }), { syncPeriod: 1 });
    await whileFailing(backend, async () => {
      await expect(optimizer.attach([weight])).rejects.toThrow('refused a command');
    });
    await optimizer.sync(); // the rest of what broke off
    expect(await slowOf(optimizer)).toEqual([values]);
    await optimizer.step(() => halfSquare(weight), false, [weight]);
    await optimizer.discard();
    expect(await read(weight)).toEqual(values);
    optimizer.dispose();
  });

  test('resync() without room: the weights that were never captured are captured afterwards', async () => {
    const { backend } = await start();
    const weight = variable([65, 65], 1);
    const values = await read(weight);
    const optimizer = lookahead(sgd({ learningRate: 0.5 }));
    optimizer.minimize(() => halfSquare(weight), false, [weight]);
    await withoutRoom(backend, 10_000, async () => {
      await expect(optimizer.resync()).rejects.toThrow('no room');
    });
    await optimizer.discard();
    expect(await read(weight)).toEqual(values);
    optimizer.dispose();
  });

  test('a failing sync with adam, steps after it, and discard() without room: never a wrong number', async () => {
    const { backend } = await start();
    const weight = variable([65, 65], 1);
    const optimizer = lookahead(adam({ learningRate: 0.1 }), { syncPeriod: 2 });
    const step = () => optimizer.step(() => halfSquare(weight), false, [weight]);
    for (let i = 0; i < 3; i++) await step();
    const [slow] = await slowOf(optimizer);
    await whileFailing(backend, step);
    const seen: unknown[] = [];
    for (let i = 0; i < 3; i++) seen.push(await errorOf(step));
    for (const error of seen) expect(error).toMatchObject({ code: 'DEVICE_FAILED' });
    await withoutRoom(backend, 10_000, async () => {
      await expect(optimizer.discard()).rejects.toThrow('no room');
    });
    await expect(read(weight)).rejects.toThrow('may be wrong');
    await optimizer.discard();
    expect(await read(weight)).toEqual(slow);
    // As after a discard, but with a fresh inner state.
    for (let i = 0; i < 4; i++) await step();
    expect(Math.abs((await read(weight))[0] as number)).toBeLessThan(Math.abs(slow?.[0] as number));
    optimizer.dispose();
  });

  test('withSlowWeights that the device fails: an error, and training goes on as if it had not been', async () => {
    const { backend } = await start();
    const train = async (isFailing: boolean) => {
      const weight = variable([65, 65], 1);
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 3 });
      const step = () => optimizer.step(() => halfSquare(weight), false, [weight]);
      await step();
      if (isFailing) {
        await whileFailing(backend, async () => {
          await expect(optimizer.withSlowWeights(() => 0)).rejects.toThrow('refused a command');
        });
      }
      for (let i = 0; i < 4; i++) await step();
      const values = [await read(weight), await slowOf(optimizer)];
      optimizer.dispose();
      weight.dispose();
      return values;
    };
    expect(await train(true)).toEqual(await train(false));
  });

  test('no host memory for a weight that outgrows fp16: the sync is refused, and done when there is', async () => {
    const { backend } = await start();
    const weight = variable([64, 64], 1);
    const [first = 0] = await read(weight);
    const optimizer = lookahead(sgd({ learningRate: 1 }), { syncPeriod: 1, slow: 'host:f16' });
    await optimizer.attach([weight]);
    const push = tf.tidy(() => tf.mul(tf.ones([64, 64]), -70_000));
    optimizer.applyGradients([{ name: weight.name, tensor: push }]);
    await withoutHostMemory(backend, 1, async () => {
      await expect(optimizer.sync()).rejects.toThrow(/no 8 KiB of host memory.*exclude: true/);
    });
    expect(optimizer.stats().keptInF32).toBe(0);
    await optimizer.sync();
    expect((await read(weight))[0]).toBeCloseTo(35_000 + first, 1);
    expect(await slowOf(optimizer)).toEqual([await read(weight)]);
    expect(optimizer.stats()).toMatchObject({ keptInF32: 1, host: { slowBytes: 4 * 4096 } });
    optimizer.dispose();
    expect(backend.hostBuffers.bytes).toBe(0);
  });

  test('no host memory for the second piece of weights: neither is tracked, and both are the next time', async () => {
    const { backend } = await start();
    const [a, b] = [variable([70], 1), variable([80], 2)];
    const values = [await read(a), await read(b)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), {
      chunkBytes: 512, // a piece for each
    });
    await withoutHostMemory(backend, 3, async () => {
      await expect(optimizer.attach([a, b])).rejects.toThrow('host memory');
    });
    expect(backend.hostBuffers.bytes).toBe(0);
    await optimizer.attach([a, b]);
    expect(await slowOf(optimizer)).toEqual(values);
    await optimizer.finish();
    expect([await read(a), await read(b)]).toEqual(values);
    optimizer.dispose();
  });

  test('weights that come and go leave no host memory', async () => {
    const { backend } = await start();
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 1 });
    const bytes: number[] = [];
    for (let i = 0; i < 6; i++) {
      const weight = variable([256, 256], i);
      await optimizer.step(() => halfSquare(weight), false, [weight]);
      bytes.push(backend.hostBuffers.bytes);
      weight.dispose();
    }
    expect(Math.max(...bytes)).toBeLessThanOrEqual(2 * 2 * 2 ** 18); // of two weights, up and down
    optimizer.dispose();
  });

  test.each(['skip', 'restore'] as const)(
    'NaN in an fp16 weight, %s: it stays fp16',
    async (nonFinite) => {
      await start();
      const weight = variable([64, 64], 1);
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), {
        syncPeriod: 1,
        slow: 'host:f16',
        nonFinite,
      });
      await optimizer.attach([weight]);
      const [slow] = await slowOf(optimizer);
      const gradient = tf.tidy(() => tf.mul(tf.ones([64, 64]), NaN));
      optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
      await optimizer.sync();
      expect(optimizer.stats()).toMatchObject({
        keptInF32: 0,
        skippedSyncs: 1,
        host: { slowBytes: 8192 },
      });
      expect(await slowOf(optimizer)).toEqual([slow]);
      optimizer.dispose();
    },
  );

  test('fp16, saved and resumed to the bit: one weight keptInF32, one disposed, in another order', async () => {
    await start();
    const train = async (isResumed: boolean) => {
      const [gone, w, grown] = [1, 2, 3].map((seed) =>
        tf.tidy(() => tf.variable(noise([64, 64], seed), true, `w${seed}`)),
      ) as [tf.Variable, tf.Variable, tf.Variable];
      const make = () => lookahead(sgd({ learningRate: 0.1 }), { slow: 'host:f16', syncPeriod: 2 });
      let optimizer = make();
      const step = (...weights: tf.Variable[]) =>
        optimizer.step(() => tf.addN(weights.map(halfSquare)) as tf.Scalar, false, weights);
      await step(gone, w, grown);
      const push = tf.tidy(() => tf.mul(tf.ones([64, 64]), -700_000));
      optimizer.applyGradients([{ name: grown.name, tensor: push }]);
      await optimizer.sync(); // 35,000 and more from here on
      gone.dispose();
      await step(w, grown);
      if (isResumed) {
        const saved = await optimizer.getWeights();
        const next = make();
        await next.setWeights(saved);
        optimizer.dispose();
        optimizer = next;
        await optimizer.attach([grown, w]);
        expect(optimizer.stats().keptInF32).toBe(1);
      }
      for (let i = 0; i < 3; i++) await step(w, grown);
      await optimizer.sync();
      const slow = await slowOf(optimizer);
      const values = [await read(w), await read(grown), isResumed ? slow.toReversed() : slow];
      optimizer.dispose();
      tf.dispose([w, grown]);
      return values;
    };
    expect(await train(true)).toEqual(await train(false));
  });

  test('a weight that a cast left as whole numbers is finite, and blended as what it is', async () => {
    await start();
    const other = variable([3], 1);
    const weight = tf.tidy(() =>
      tf.variable(tf.cast(tf.add(tf.tensor1d([-2, -3, 2], 'int32'), 1), 'float32')),
    );
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 1 });
    await optimizer.attach([weight, other]);
    await optimizer.step(() => halfSquare(other), false, [weight, other]);
    expect(await read(weight)).toEqual([-1, -2, 3]);
    optimizer.dispose();
  });

  test('a device that is lost: every call says so by name', async () => {
    const { backend } = await start();
    const weight = variable([65, 65], 1);
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 1 });
    await optimizer.step(() => halfSquare(weight), false, [weight]);
    optimizer.minimize(() => halfSquare(weight), false, [weight]);
    backend.device.destroy();
    await backend.device.lost;
    for (const call of [
      () => optimizer.sync(),
      () => optimizer.discard(),
      () => optimizer.finish(),
      () => optimizer.resync(),
    ]) {
      expect(await errorOf(call)).toMatchObject({ name: 'GpuLostError', code: 'DEVICE_LOST' });
    }
    optimizer.dispose();
  });
});
