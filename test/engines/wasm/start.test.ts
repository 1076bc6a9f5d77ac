import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { startWasm } from 'slowlane/wasm';
import { beforeEach, expect, test, vi } from 'vitest';

beforeEach(async () => {
  await tf.setBackend('cpu');
});

const own = () =>
  ['BatchMatMul', '_FusedMatMul', 'Conv2DBackpropInput', 'Conv2DBackpropFilter', 'Einsum'].map(
    (name) => (tf.getKernel(name, 'wasm') as tf.KernelConfig | undefined)?.kernelFunc,
  );

test('it is the current backend until stop(), which gives the previous one and the kernels back', async () => {
  (await startWasm()).stop(); // tfjs's kernels are there once its package is loaded
  const before = own();
  expect(before.map((kernel) => kernel !== undefined)).toEqual([true, true, true, false, false]);
  const engine = await startWasm();
  expect(tf.getBackend()).toBe('wasm');
  expect(engine.backend).toBe(tf.backend());
  expect(own().some((kernel, i) => kernel === before[i])).toBe(false);
  engine.stop();
  engine.stop();
  expect(own()).toEqual(before);
  expect(tf.getBackend()).toBe('cpu');
});

test('tensors outlive stop(), and tfjs’s kernels compute with them', async () => {
  const engine = await startWasm();
  const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const product = () => tf.tidy(() => [...tf.matMul(x, x, true).dataSync()]);
  // [1 3; 2 4]·[1 2; 3 4]
  expect(product()).toEqual([10, 14, 14, 20]);
  engine.stop();
  await tf.setBackend('wasm');
  expect(product()).toEqual([10, 14, 14, 20]);
  x.dispose();
});

test('a backend that is removed and made anew has the kernels too', async () => {
  const engine = await startWasm();
  tf.removeBackend('wasm');
  const { init, BackendWasm } = await import('@tensorflow/tfjs-backend-wasm/dist/backend_wasm.js');
  tf.registerBackend('wasm', async () => new BackendWasm((await init()).wasm));
  await tf.setBackend('wasm');
  const x = tf.ones([3, 2]);
  expect(tf.tidy(() => [...tf.matMul(x, x, true).dataSync()])).toEqual([3, 3, 3, 3]);
  expect(tf.tidy(() => [...tf.einsum('ij->', x).dataSync()])).toEqual([6]);
  x.dispose();
  engine.stop();
  expect(tf.getBackend()).toBe('cpu');
});

test('it runs once: a second call throws, also while the first starts', async () => {
  const starting = startWasm();
  await expect(startWasm()).rejects.toMatchObject({ code: 'WRONG_STATE' });
  const engine = await starting;
  await expect(startWasm()).rejects.toThrow(/running already. Call its stop\(\) first/);
  engine.stop();
});

test('without the package it throws, and can be called again', async () => {
  vi.doMock('@tensorflow/tfjs-backend-wasm', () => {
    throw Object.assign(new Error("Cannot find package '@tensorflow/tfjs-backend-wasm'"), {
      code: 'ERR_MODULE_NOT_FOUND',
    });
  });
  const { startWasm: startAnew } = await import('#src/engines/wasm/index.js');
  await expect(startAnew()).rejects.toMatchObject({ code: 'PACKAGE_MISSING' });
  expect(tf.getBackend()).toBe('cpu');
  vi.doUnmock('@tensorflow/tfjs-backend-wasm');
  (await startAnew()).stop();
});

test('a wasm backend of another make is refused, and the previous backend is current again', async () => {
  (await startWasm()).stop();
  const backend = tf.findBackend('wasm') as unknown as { wasm: { asm: unknown } };
  const { asm } = backend.wasm;
  backend.wasm.asm = {};
  await expect(startWasm()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  expect(tf.getBackend()).toBe('cpu');
  backend.wasm.asm = asm;
  (await startWasm()).stop();
});

test('a full heap: an error, also of tfjs’s own kernels, and every tensor stays what it was', async () => {
  await tf.setBackend('wasm');
  const { wasm } = tf.backend() as unknown as { wasm: { _malloc: (bytes: number) => number } };
  const malloc = wasm._malloc;
  wasm._malloc = (bytes) => (bytes > 2 ** 20 ? 0 : malloc(bytes)); // 0: no room
  const engine = await startWasm();
  const kept = tf.fill([1000], 7);
  const [a, b] = [tf.ones([600, 1]), tf.ones([1, 600])];
  const { numTensors } = tf.memory();
  const full = { code: 'OUT_OF_MEMORY', details: { neededBytes: 4 * 600 * 600 } };
  for (const large of [
    () => tf.matMul(a, b),
    () => tf.add(a, b),
    () => tf.ones([600, 600]).add(1),
  ]) {
    expect(() => tf.tidy(large)).toThrow(expect.objectContaining(full));
    expect(tf.memory().numTensors).toBe(numTensors);
  }
  expect(new Set(kept.dataSync())).toEqual(new Set([7]));
  expect(tf.tidy(() => tf.matMul(b, a).dataSync()[0])).toBe(600);
  engine.stop();
  expect(wasm._malloc(2 ** 21)).toBe(0); // as it was before
  wasm._malloc = malloc;
  tf.dispose([kept, a, b]);
});

test('an operand comes from another backend, and the heap grows for it', async () => {
  await tf.setBackend('cpu');
  const a = tf.fill([3000, 3000], 2, 'int32');
  const engine = await startWasm();
  const b = tf.fill([3000, 1], 3, 'int32');
  expect(
    tf.tidy(() => tf.matMul<tf.Tensor2D>(a as tf.Tensor2D, b as tf.Tensor2D).dataSync()[2999]),
  ).toBe(18_000);
  engine.stop();
  tf.dispose([a, b]);
});

test('a backend that was removed with tf.removeBackend(): the error says so', async () => {
  (await startWasm()).stop();
  const factory = tf.findBackendFactory('wasm');
  tf.removeBackend('wasm');
  await expect(startWasm()).rejects.toMatchObject({
    code: 'PACKAGE_MISSING',
    message: expect.stringContaining('was removed with tf.removeBackend()'),
  });
  tf.registerBackend('wasm', factory, 2);
  (await startWasm()).stop();
});

test('a full heap in the scratch memory of a kernel: the next kernels take other memory', async () => {
  const engine = await startWasm();
  const { wasm } = engine.backend as unknown as { wasm: { _malloc: (bytes: number) => number } };
  const x = tf.ones([4, 3]);
  const square = tf.ones([64, 64]);
  const kept = tf.fill([1000], 7);
  const sum = () =>
    tf.tidy(() => tf.unsortedSegmentSum(x, tf.tensor1d([0, 1, 1, 0], 'int32'), 200_000));
  const watched = wasm._malloc;
  wasm._malloc = (bytes) => {
    if (bytes > 2 ** 19) throw new Error('full');
    return watched(bytes);
  };
  expect(sum).toThrow('full');
  wasm._malloc = watched;
  const product = tf.matMul(square, square);
  expect(new Set(product.dataSync())).toEqual(new Set([64]));
  expect(new Set(kept.dataSync())).toEqual(new Set([7]));
  engine.stop();
  tf.dispose([x, square, kept, product]);
});
