// Slow weights blended by the device: what waits for what, what fails how, and how many bytes it takes.

import * as tf from '@tensorflow/tfjs-core';
import { adam, lookahead, sgd } from 'slowlane';
import { expect, test, vi } from 'vitest';

import { halfSquare, read, slowOf } from '../../../engines.js';
import type { BudgetedBackend } from '#src/engines/webgpu/budgeted-backend.js';
import { updateInPlaceOn } from '../update/in-place.js';
import { describeWebGPU, errorOf, start, variable } from '../engine.js';

/** Bytes that commands copy between `buffers`, which are of the host, and the device from now on. */
function watchTransfers(device: GPUDevice, buffers: ReadonlySet<GPUBuffer>) {
  const seen = { up: 0, down: 0 };
  const create = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (...given) => {
    const encoder = create(...given);
    const copy = encoder.copyBufferToBuffer.bind(encoder) as (...args: unknown[]) => undefined;
    const watched = (from: GPUBuffer, a: number, to: GPUBuffer, b: number, bytes: number) => {
      if (buffers.has(from)) seen.up += bytes;
      if (buffers.has(to)) seen.down += bytes;
      return copy(from, a, to, b, bytes);
    };
    encoder.copyBufferToBuffer = watched as typeof encoder.copyBufferToBuffer;
    return encoder;
  };
  return seen;
}

/** The buffers that slow weights are in, those made from now on. */
function watchPieces({ hostBuffers }: BudgetedBackend): ReadonlySet<GPUBuffer> {
  const create = hostBuffers.create.bind(hostBuffers);
  const pieces = new Set<GPUBuffer>();
  hostBuffers.create = (...given) => {
    const buffer = create(...given);
    pieces.add(buffer);
    return buffer;
  };
  return pieces;
}

/** Downloads of `pieces` are not there before `release` is called. */
function holdDownloads(pieces: ReadonlySet<GPUBuffer>) {
  const original = Reflect.get(GPUBuffer.prototype, 'mapAsync') as GPUBuffer['mapAsync'];
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  vi.spyOn(GPUBuffer.prototype, 'mapAsync').mockImplementation(async function (
    this: GPUBuffer,
    ...given
  ) {
    const isDownload = pieces.has(this) && (given[0] & GPUMapMode.READ) !== 0;
    if (isDownload) await held;
    return original.apply(this, given);
  });
  return () => {
    release();
    vi.restoreAllMocks();
  };
}

describeWebGPU(() => {
  test.each([
    ['host:f32', 4],
    ['host:f16', 2],
  ] as const)(
    '%s: a sync moves what is stored up and down, the other steps nothing; one dispatch a weight',
    async (slow, bytesPerWeight) => {
      const { backend } = await start();
      const weights = [variable([128, 128], 1), variable([64, 256], 2)];
      const pieces = watchPieces(backend);
      const optimizer = lookahead(adam(), { slow, syncPeriod: 3 });
      await optimizer.attach(weights);
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      await optimizer.step(loss, false, weights); // pipelines, moments
      const { counts } = updateInPlaceOn(backend);
      const seen = watchTransfers(backend.device, pieces);
      const stored = 2 * 16_384 * bytesPerWeight;
      const moved: number[][] = [];
      for (let i = 0; i < 6; i++) {
        const before = { ...seen };
        const { bytesPulled } = optimizer.stats();
        await optimizer.step(loss, false, weights);
        expect(counts.dispatches).toBe(2 * (i + 1));
        moved.push([
          seen.up - before.up,
          seen.down - before.down,
          optimizer.stats().bytesPulled - bytesPulled,
        ]);
      }
      const sync = [stored, stored, stored];
      expect(moved).toEqual([[0, 0, 0], sync, [0, 0, 0], [0, 0, 0], sync, [0, 0, 0]]);
      const { host, bytesPushed } = optimizer.stats();
      expect([host.slowBytes, host.stagingBytes, bytesPushed]).toEqual([
        stored,
        2 * stored, // each weight is one piece here, and passes through a pair of its own
        2 * stored,
      ]);
      optimizer.dispose();
    },
  );

  test('staging: at most 4 pieces and 1 MiB, on the device only while a sync is recorded', async () => {
    const { backend, memory } = await start();
    const weights = [variable([512, 512], 1), variable([512, 512], 2), variable([512, 512], 3)];
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 1 });
    await optimizer.attach(weights);
    backend.pool.trim();
    const before = memory().allocatedBytes;
    const made: number[] = [];
    const acquire = backend.pool.acquireBuffer.bind(backend.pool);
    backend.pool.acquireBuffer = (size, usage, ...rest) => {
      const isForPieces = (usage & GPUBufferUsage.STORAGE) !== 0 && size >= 65_536;
      if (isForPieces) made.push(size);
      return acquire(size, usage, ...rest);
    };
    await optimizer.sync({ early: true }); // nothing stepped: nothing to do
    expect(made).toEqual([]);
    optimizer.minimize(() => tf.addN(weights.map(halfSquare)) as tf.Scalar, false, weights);
    made.splice(0);
    await optimizer.sync();
    expect(made).toEqual([2 ** 18, 2 ** 18, 2 ** 18, 2 ** 18]); // of 12 pieces
    expect(optimizer.stats().device.stagingBytes).toBe(2 ** 20);
    backend.pool.trim();
    expect(memory().allocatedBytes - before).toBeLessThan(1024);
    expect(memory().hostBytes).toBe((3 + 2) * 2 ** 20); // and four pairs of 256 KiB
    optimizer.dispose();
    expect(memory().hostBytes).toBe(0);
  });

  test('a sync waits for slow weights that are still on their way; so do a save and a swap', async () => {
    const train = async (isHeld: boolean) => {
      const weights = [variable([40, 40], 1), variable([300], 2)];
      const optimizer = lookahead(adam({ learningRate: 0.05 }), { syncPeriod: 2 });
      const loss = () => tf.addN(weights.map(halfSquare)) as tf.Scalar;
      await optimizer.step(loss, false, weights);
      await optimizer.attach(weights);
      await optimizer.getWeights(); // the captured weights are in place
      const release = isHeld ? holdDownloads(pieces) : () => {};
      await optimizer.step(loss, false, weights); // a sync
      await optimizer.step(loss, false, weights); // may go on
      optimizer.minimize(loss, false, weights); // a sync is due
      const saved: string[] = [];
      const sync = optimizer.sync().then(() => saved.push('sync'));
      const slow = slowOf(optimizer).then((values) => (saved.push('slow'), values));
      const swap = optimizer.withSlowWeights(() => saved.push('swap'));
      for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 1));
      if (isHeld) expect(saved).toEqual([]);
      if (isHeld) expect(() => optimizer.minimize(loss, false, weights)).toThrow('is under way');
      release();
      await Promise.all([sync, swap]);
      expect(saved).toEqual(['sync', 'slow', 'swap']);
      await optimizer.step(loss, false, weights);
      const values = [await slow, await slowOf(optimizer), await Promise.all(weights.map(read))];
      optimizer.dispose();
      tf.dispose(weights);
      return values;
    };
    const pieces = watchPieces((await start()).backend);
    expect(await train(true)).toEqual(await train(false));
  });

  test('a device that fails during a sync: told at the next await, and discard() has the slow weights', async () => {
    const { backend } = await start();
    const weight = variable([64, 64], 1);
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2 });
    const step = () => optimizer.step(() => halfSquare(weight), false, [weight]);
    for (let i = 0; i < 3; i++) await step();
    const [slow] = await slowOf(optimizer);

    const submit = backend.submitOwn.bind(backend);
    backend.submitOwn = (commands, written) => {
      // Refused by the device, which says so later.
      if ([...written].length > 0) backend.device.createBuffer({ size: 4, usage: 0 });
      return submit(commands, written);
    };
    await optimizer.step(() => halfSquare(weight), false, [weight]);
    backend.submitOwn = submit;
    const error = await errorOf(async () => {
      for (;;) await optimizer.sync();
    });
    expect(error).toMatchObject({ name: 'GpuValidationError', code: 'DEVICE_FAILED' });
    await expect(optimizer.getWeights()).rejects.toThrow('refused a command');
    await optimizer.discard();
    expect(await read(weight)).toEqual(slow);
    for (let i = 0; i < 4; i++) await step();
    expect((await read(weight)).every(Number.isFinite)).toBe(true);
    expect((await read(weight))[0]).not.toBe(slow?.[0]);
    optimizer.dispose();
  });

  test('no room for staging: nothing has changed, and sync() goes on when there is', async () => {
    const train = async (isTight: boolean) => {
      const { backend, stop } = await start({ vramBudget: '2MiB' });
      const weight = variable([256, 256], 1); // 256 KiB
      const optimizer = lookahead(sgd({ learningRate: 0.1 }), { syncPeriod: 2 });
      await optimizer.attach([weight]);
      const loss = () => halfSquare(weight);
      await optimizer.step(loss, false, [weight]);
      optimizer.minimize(loss, false, [weight]);
      if (isTight) {
        backend.pool.trim();
        const room = tf.ones([2 ** 19 - 65_536 - 10_000]);
        backend.uploadToGPU(room.dataId);
        const error = await errorOf(() => optimizer.sync());
        expect(error).toMatchObject({ name: 'VramBudgetError', breakdown: { weights: 2 ** 18 } });
        expect(() => optimizer.minimize(loss, false, [weight])).toThrow('sync()');
        room.dispose();
      }
      await optimizer.sync();
      const values = [await read(weight), await slowOf(optimizer)];
      optimizer.dispose();
      weight.dispose();
      stop();
      return values;
    };
    expect(await train(true)).toEqual(await train(false));
  });

  test('weights that come later, go, or have a step size of their own', async () => {
    await start();
    const [first, second, third] = [variable([70, 70], 1), variable([5], 2), variable([66, 66], 3)];
    const optimizer = lookahead(sgd({ learningRate: 0.5 }), {
      syncPeriod: 2,
      overrides: [{ weights: second.name, slowStepSize: 0.25 }],
    });
    const step = (...weights: tf.Variable[]) =>
      optimizer.step(() => tf.addN(weights.map(halfSquare)) as tf.Scalar, false, weights);
    const [f0 = 0] = await read(first);
    const [s0 = 0] = await read(second);
    await step(first, second);
    await step(first, second); // x → ¼ x; the first syncs: ⅝; the second: 1 + ¼(¼ − 1)
    expect((await read(first))[0]).toBeCloseTo(0.625 * f0, 6);
    expect((await read(second))[0]).toBeCloseTo(0.8125 * s0, 6);
    first.dispose();
    const [t0 = 0] = await read(third);
    await step(second);
    await step(second, third); // the cycle ends, for the one that came late too
    expect((await read(second))[0]).toBeCloseTo(0.8125 ** 2 * s0, 6);
    expect((await read(third))[0]).toBeCloseTo(0.75 * t0, 6); // half of the way to ½
    expect(await slowOf(optimizer)).toHaveLength(2);
    await optimizer.finish();
    expect([await read(second), await read(third)]).toEqual(await slowOf(optimizer));
    optimizer.dispose();
  });

  test('misuse: another backend in mid-training, an engine that was stopped', async () => {
    await tf.setBackend('cpu');
    const weight = variable([64, 64], 1);
    const optimizer = lookahead(sgd({ learningRate: 0.1 }), { slow: 'host:f16', syncPeriod: 1 });
    const step = () => optimizer.step(() => halfSquare(weight), false, [weight]);
    const { stop } = await start();
    await step();
    await tf.setBackend('cpu');
    await expect(optimizer.finish()).rejects.toThrow(/with the WebGPU engine .* now is 'cpu'/);
    await tf.setBackend('slowlane-webgpu');
    await optimizer.sync();
    await step();
    stop();
    optimizer.dispose();
  });
});
