// One kernel on wasm and on tfjs's cpu backend, with the same inputs.

import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { startWasm, type WasmEngine } from 'slowlane/wasm';
import { afterAll, beforeAll, expect } from 'vitest';

/** The tests of the file that calls it run while the engine does. */
export function onWasm(): void {
  let engine: WasmEngine;
  beforeAll(async () => {
    engine = await startWasm();
  });
  afterAll(() => engine.stop());
}

/** The same cases on each run. */
export const check = (property: fc.IAsyncProperty<unknown>, numRuns: number) =>
  fc.assert(property as fc.IAsyncProperty<[unknown]>, { numRuns, seed: 7 });
export const seed = fc.integer({ min: 1, max: 1e6 });
export const side = (max: number) => fc.integer({ min: 1, max });

/** Shape, dtype, and for int32 how many whole numbers to choose from. */
export interface Given {
  readonly shape: readonly number[];
  readonly dtype?: 'float32' | 'int32' | 'bool';
  readonly from?: number;
  readonly below?: number;
}

type Attributes = Readonly<Record<string, unknown>>;
type Inputs = Readonly<Record<string, Given>>;

/** The same numbers on each run. */
export function values({ shape, dtype = 'float32', from = -9, below = 10 }: Given, seed: number) {
  const size = tf.util.sizeFromShape([...shape]);
  let state = seed >>> 0 || 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < 8; i++) next();
  if (dtype === 'bool') return Uint8Array.from({ length: size }, () => Math.round(next()));
  return dtype === 'int32'
    ? Int32Array.from({ length: size }, () => from + Math.floor(next() * (below - from)))
    : Float32Array.from({ length: size }, () => 2 * next() - 1);
}

interface Result {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: readonly number[];
}

async function runOn(
  backend: string,
  kernel: string,
  inputs: Inputs,
  attributes: Attributes,
  seed: number,
  change: (value: number) => number,
): Promise<Result> {
  await tf.setBackend(backend);
  const arrays = Object.values(inputs).map((given, i) => values(given, seed + i).map(change));
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype }], i) => [
      name,
      tf.tensor(arrays[i]?.slice() ?? [], [...shape], dtype ?? 'float32'),
    ]),
  );
  for (const tensor of Object.values(tensors)) tensor.dataSync(); // brings them there
  const given = (kernel === 'Einsum' ? Object.values(tensors) : tensors) as tf.NamedTensorMap;
  const call = () =>
    tf.engine().runKernel(kernel, given, attributes as tf.NamedAttrMap) as tf.Tensor;
  const before = [tf.memory(), tf.engine().backend.numDataIds()] as const;
  const result = call();
  const { shape, dtype } = result;
  const got = { shape, dtype, values: [...result.dataSync()] };
  result.dispose();
  expect([tf.memory(), tf.engine().backend.numDataIds()]).toEqual(before);
  for (const [i, tensor] of Object.values(tensors).entries()) {
    expect([...tensor.dataSync()]).toEqual([...(arrays[i] ?? [])]);
    tensor.dispose();
  }
  return got;
}

/**
 * Expects the numbers of the cpu backend: each within 1e-6 of the sum of its products' magnitudes, which is what the same
 * kernel makes of the magnitudes (with other attributes, if given); or within a number. Nothing is left, and the inputs are as they were.
 */
export async function expectAsOnCpu(
  kernel: string,
  inputs: Inputs,
  attributes: Attributes,
  seed = 1,
  tolerance: Attributes | number = attributes,
): Promise<void> {
  const cpu = await runOn('cpu', kernel, inputs, attributes, seed, (x) => x);
  const magnitudes =
    typeof tolerance === 'number'
      ? null
      : await runOn('cpu', kernel, inputs, tolerance, seed, Math.abs);
  const wasm = await runOn('wasm', kernel, inputs, attributes, seed, (x) => x);
  expect({ shape: wasm.shape, dtype: wasm.dtype }).toEqual({ shape: cpu.shape, dtype: cpu.dtype });
  const off = cpu.values.findIndex((value, i) => {
    const error = Math.abs(value - (wasm.values[i] ?? NaN));
    return !(
      error <= (magnitudes === null ? Number(tolerance) : 1e-6 * (magnitudes.values[i] ?? 0))
    );
  });
  if (off >= 0) {
    const what = JSON.stringify({ kernel, inputs, attributes, seed });
    expect.fail(`${what}: element ${off} is ${wasm.values[off]}, on cpu ${cpu.values[off]}`);
  }
}
