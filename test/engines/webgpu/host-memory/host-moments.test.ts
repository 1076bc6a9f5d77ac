// Moments that wait in host memory: the same numbers as on the device, whose memory they leave.

import * as tf from '@tensorflow/tfjs-core';
import { adagrad, adam, lion, lookahead, momentum, rmsprop } from 'slowlane';
import { expect, test } from 'vitest';

import { GpuError } from '#src/engines/webgpu/gpu-error.js';
import { updateInPlaceOn } from '../update/in-place.js';
import { VramBudgetError } from '#src/engines/webgpu/memory/vram-budget-error.js';
import type { StepOptions } from '#src/optimizers/step-options.js';
import type { WeightwiseOptimizer } from '#src/optimizers/weightwise.js';

import { noise, read } from '../../../engines.js';
import { describeWebGPU, errorOf, start, variable } from '../engine.js';

const RULES: [string, (options: StepOptions) => WeightwiseOptimizer][] = [
  ['adam', adam],
  ['momentum', momentum],
  ['rmsprop', (options) => rmsprop({ momentum: 0.5, centered: true, epsilon: 1e-3, ...options })],
  ['adagrad', adagrad], // its slot begins at 0.1
  ['lion', lion],
];
const GRADIENTS = ['keep', 'release'] as const;
const STORED = ['f32', 'q8'] as const;

/** 72 × 72: more than one block, and not a whole number of them; a bias beside it. */
class Pair {
  readonly weights = [variable([72, 72], 1), variable([72], 2)];
  readonly #x = noise([4, 72], 3);

  readonly loss = (): tf.Scalar => {
    const [kernel, bias] = this.weights as [tf.Variable, tf.Variable];
    return tf.mean<tf.Scalar>(tf.square(tf.add(tf.matMul(this.#x, kernel), bias)));
  };

  async train(optimizer: WeightwiseOptimizer, steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      optimizer.minimize(this.loss, false, this.weights);
      await optimizer.flush();
    }
  }

  values(): Promise<number[][]> {
    return Promise.all(this.weights.map(read));
  }
}

async function slotsOf(optimizer: WeightwiseOptimizer): Promise<number[][]> {
  return Promise.all((await optimizer.getWeights()).map(({ tensor }) => read(tensor)));
}

describeWebGPU(() => {
  test.each(RULES)('%s: the bits of moments on the device', async (_, make) => {
    const engine = await start();
    for (const gradients of GRADIENTS) {
      for (const stored of STORED) {
        const results = [];
        for (const moments of [`device:${stored}`, `host:${stored}`] as const) {
          const [pair, optimizer] = [new Pair(), make({ gradients, moments })];
          await pair.train(optimizer, 3);
          results.push([...(await pair.values()), ...(await slotsOf(optimizer))]);
          optimizer.dispose();
        }
        expect(results[1]).toEqual(results[0]);
      }
    }
    expect(engine.memory().hostBytes).toBe(0); // all disposed
  });

  test('between steps they take no memory of the device, and each step moves them once', async () => {
    const engine = await start();
    const { device } = engine.backend;
    const [pair, optimizer] = [new Pair(), adam({ gradients: 'release', moments: 'host:f32' })];
    await pair.train(optimizer, 1);
    let [up, down] = [0, 0];
    const createEncoder = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (...given) => {
      const encoder = createEncoder(...given);
      const copy = encoder.copyBufferToBuffer.bind(encoder) as (...all: unknown[]) => undefined;
      encoder.copyBufferToBuffer = ((...all: [GPUBuffer, number, GPUBuffer, number, number]) => {
        const [from, , to, , size] = all; // scalars go up too
        if ((from.usage & GPUBufferUsage.MAP_WRITE) !== 0 && size > 4096) up += size;
        if ((to.usage & GPUBufferUsage.MAP_READ) !== 0) down += size;
        return copy(...all);
      }) as typeof encoder.copyBufferToBuffer;
      return encoder;
    };
    await pair.train(optimizer, 1);
    const bytes = 2 * 4 * 72 * 72;
    expect([up, down]).toEqual([bytes, bytes]);
    const { by, hostBytes } = engine.memory();
    expect(by.moments).toBe(2 * 4 * 72); // of the bias
    expect(hostBytes).toBe(2 * bytes);
  });

  test('micro-batches go straight into moments: one dispatch each, no memory more', async () => {
    const engine = await start();
    const peaks = [];
    const results = [];
    for (const accumulate of [1, 2]) {
      for (const moments of ['device:f32', 'host:f32'] as const) {
        const optimizer = adam({ gradients: 'release', moments, accumulate });
        const pair = new Pair();
        const { counts } = updateInPlaceOn(engine.backend);
        await pair.train(optimizer, 2 * accumulate);
        expect(counts).toMatchObject({ dispatches: 2 * 2 * accumulate, copies: 0 });
        expect(optimizer.iterations).toBe(2);
        results.push(await pair.values());
        peaks.push(engine.memory().allocatedBytes);
        optimizer.dispose();
        tf.dispose(pair.weights);
        engine.backend.pool.trim();
      }
    }
    const [ofOne = 0, ofOneOnHost = 0, ofTwo = 0, ofTwoOnHost = 0] = peaks;
    const half = 2 * 72 * 72; // of a gradient
    expect(Math.abs(ofTwo - ofOne)).toBeLessThan(half);
    expect(Math.abs(ofTwoOnHost - ofOneOnHost)).toBeLessThan(half);
    expect(results[1]).toEqual(results[0]);
    expect(results[3]).toEqual(results[2]);
  });

  test('a step that comes too early is refused and changes nothing', async () => {
    await start();
    const [pair, optimizer] = [new Pair(), adam({ moments: 'host:q8' })];
    const reference = new Pair();
    optimizer.minimize(pair.loss, false, pair.weights);
    expect(optimizer.due).toBe(true);
    const early = () => optimizer.minimize(pair.loss, false, pair.weights);
    expect(early).toThrow(
      expect.objectContaining({
        code: 'OFFLOAD_PENDING',
        message: expect.stringMatching(/minimize\(\).*Await flush\(\)/) as string,
      }),
    );
    expect(() => optimizer.reset()).toThrow(/reset\(\) was called while moments/);
    await optimizer.flush();
    expect(optimizer.due).toBe(false);
    await pair.train(optimizer, 1);
    await reference.train(adam({ moments: 'device:q8' }), 2);
    expect(await pair.values()).toEqual(await reference.values());
  });

  test('a state goes from the host to the device and back', async () => {
    await start();
    const settings = { syncPeriod: 2 };
    for (const stored of STORED) {
      const [first, second, third] = [new Pair(), new Pair(), new Pair()];
      const original = lookahead(adam({ moments: `host:${stored}` }), settings);
      for (let step = 0; step < 2; step++) await original.step(first.loss, false, first.weights);
      const saved = await original.getWeights();
      const others = [
        [second, lookahead(adam({ moments: `host:${stored}` }), settings)],
        [third, lookahead(adam({ moments: `device:${stored}` }), settings)],
      ] as const;
      for (const [pair, optimizer] of others) {
        for (const [i, weight] of pair.weights.entries()) {
          tf.tidy(() => weight.assign(tf.mul(first.weights[i] as tf.Tensor, 1)));
        }
        await optimizer.setWeights(saved);
        await optimizer.step(pair.loss, false, pair.weights);
        // Of an optimizer that has seen its weights the state is replaced at once.
        await optimizer.setWeights(saved);
        await optimizer.attach(pair.weights);
        await optimizer.discard();
      }
      for (const [pair, optimizer] of [[first, original] as const, ...others]) {
        for (let step = 0; step < 3; step++) await optimizer.step(pair.loss, false, pair.weights);
      }
      expect(await second.values()).toEqual(await first.values());
      expect(await third.values()).toEqual(await first.values());
    }
  });

  test('reset begins afresh, and discard() does so if they are not finite', async () => {
    await start();
    const [pair, fresh] = [new Pair(), new Pair()];
    const inner = adam({ moments: 'host:f32', gradients: 'release' });
    const optimizer = lookahead(inner, { syncPeriod: 4 });
    await optimizer.attach(pair.weights);
    const poison = (): tf.Scalar => tf.mul(pair.loss(), Infinity);
    await optimizer.step(poison, false, pair.weights);
    expect((await pair.values()).flat().some(Number.isNaN)).toBe(true);
    await optimizer.discard();
    expect(await pair.values()).toEqual(await fresh.values());
    const reference = lookahead(adam(), { syncPeriod: 4 });
    await optimizer.step(pair.loss, false, pair.weights);
    await reference.step(fresh.loss, false, fresh.weights);
    expect(await pair.values()).toEqual(await fresh.values());
  });

  test('without room for a weight and its moments the step fails, and the next one goes on', async () => {
    const engine = await start({ vramBudget: '1MiB' });
    const [pair, optimizer] = [new Pair(), adam({ moments: 'host:f32' })];
    await pair.train(optimizer, 1);
    const before = await pair.values();
    engine.backend.pool.trim();
    const free = 2 ** 20 - engine.memory().allocatedBytes;
    // Room for the gradient and one of two moments.
    const ballast = tf.fill([Math.floor(free / 4 - 2.8 * 72 * 72)], 1);
    expect(await errorOf(() => pair.train(optimizer, 1))).toBeInstanceOf(VramBudgetError);
    ballast.dispose();
    await optimizer.flush();
    expect(await pair.values()).toEqual(before);
    await pair.train(optimizer, 1);
    expect(await pair.values()).not.toEqual(before);
  });

  test('a device that fails leaves the moments of before', async () => {
    const engine = await start();
    const [pair, optimizer] = [new Pair(), adam({ moments: 'host:f32' })];
    await pair.train(optimizer, 1);
    const before = await slotsOf(optimizer);
    optimizer.minimize(pair.loss, false, pair.weights.slice(0, 1));
    const { device } = engine.backend;
    // As if the commands of the step had failed.
    engine.backend.errors.fail(new GpuError('internal', 'made to fail'));
    expect(await errorOf(() => optimizer.flush())).toBeInstanceOf(GpuError);
    await optimizer.flush(); // told once
    expect((await slotsOf(optimizer)).slice(1)).toEqual(before.slice(1));
    device.destroy();
    await device.lost;
    const lost = await errorOf(() => optimizer.getWeights());
    expect(lost).toBeInstanceOf(GpuError);
  });

  test('model.fit waits where it is told to', async () => {
    await start();
    const { sequential, layers } = await import('@tensorflow/tfjs-layers');
    const model = sequential({ layers: [layers.dense({ units: 72, inputShape: [72] })] });
    const optimizer = adam({ moments: 'host:q8', gradients: 'release' });
    model.compile({ optimizer, loss: 'meanSquaredError' });
    const [x, y] = [noise([12, 72], 5), noise([12, 72], 6)];
    const options = { epochs: 1, batchSize: 4, verbose: 0 as const };
    await model.fit(x, y, { ...options, callbacks: optimizer.callbacks() });
    expect(optimizer.iterations).toBe(3);
    await expect(model.fit(x, y, options)).rejects.toThrow(/optimizer\.callbacks\(\)/);
    await optimizer.flush();
    optimizer.dispose();
    model.dispose();
  });

  test('another backend, and a stopped engine, are told', async () => {
    const engine = await start();
    const [pair, optimizer] = [new Pair(), adam({ moments: 'host:q8' })];
    await pair.train(optimizer, 1);
    await tf.setBackend('cpu');
    // The step reads the weights first, which WebGPU in Node cannot move to another backend.
    const elsewhere = await errorOf(() => pair.train(optimizer, 1));
    expect(elsewhere).toMatchObject({ code: 'UNSUPPORTED' });
    const moments = await errorOf(() => optimizer.getWeights());
    expect(moments).toMatchObject({ code: 'WRONG_STATE' });
    await tf.setBackend('slowlane-webgpu');
    engine.stop();
    expect(await errorOf(() => optimizer.getWeights())).toBeInstanceOf(Error);
  });
});
