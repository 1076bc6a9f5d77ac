// Slow and fast values where float32 ends: each pair of extremes, and bits at random.

import * as tf from '@tensorflow/tfjs-core';
import { lookahead, type LookaheadOptions, sgd } from 'slowlane';

import { read, slowOf } from './engines.js';

/** α: nothing, the default, and what does not divide well. */
export const STEP_SIZES = [0, 0.3, 0.5, 1 - 2 ** -24, 1];

const LARGEST = 2 ** 128 - 2 ** 104;
const EDGES = [LARGEST, LARGEST - 2 ** 104, 3.4e38, 2 ** 127, 1.01e38, 1, 2 ** -126, 2 ** -149, 0];
const ALL = EDGES.flatMap((edge) => [edge, -edge]);

/** `size` pairs of finite float32 values. */
export function extremePairs(size: number): { slow: Float32Array; fast: Float32Array } {
  const [slow, fast] = [new Float32Array(size), new Float32Array(size)];
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    // The exponent of infinity and NaN is left out.
    const bits = (seed & 0x807fffff) | ((((seed >>> 9) * 254) >>> 23) << 23);
    return new Float32Array(Uint32Array.of(bits).buffer)[0] as number;
  };
  for (let i = 0; i < size; i++) {
    const isEdge = i < ALL.length ** 2;
    slow[i] = isEdge ? (ALL[i % ALL.length] as number) : random();
    fast[i] = isEdge ? (ALL[Math.floor(i / ALL.length)] as number) : random();
  }
  return { slow, fast };
}

/** Fast and slow values after one sync from `slow` to `fast`. */
export async function blendOf(
  { slow, fast }: { slow: Float32Array; fast: Float32Array },
  shape: number[],
  options: LookaheadOptions,
): Promise<{ fast: number[]; slow: number[] }> {
  const weight = tf.tidy(() => tf.variable(tf.tensor(slow.slice(), shape)));
  const optimizer = lookahead(sgd({ learningRate: 0 }), {
    syncPeriod: 2,
    replaced: 'ignore', // the fast weights are given
    ...options,
  });
  await optimizer.attach([weight]);
  const gradient = tf.zeros(shape);
  const step = () => optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
  step();
  tf.tidy(() => weight.assign(tf.tensor(fast.slice(), shape)));
  step();
  await optimizer.sync();
  const after = { fast: await read(weight), slow: (await slowOf(optimizer))[0] as number[] };
  optimizer.dispose();
  tf.dispose([weight, gradient]);
  return after;
}

/** The places of what is not finite. */
export function notFinite(values: readonly number[]): number[] {
  return values.flatMap((value, i) => (Number.isFinite(value) ? [] : [i]));
}
