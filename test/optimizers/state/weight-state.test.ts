// The state of one weight by itself: float32 or 8 bits, on the device or in host memory.

import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test, vi } from 'vitest';

import { registerEngine } from '#src/engine/engine.js';
import { currentDevice } from '#src/engines/current-device.js';
import { BLOCK, BLOCK_WORDS } from '#src/formula/quantization.js';
import { WeightState } from '#src/optimizers/state/weight-state.js';
import { valuesOf } from '../../engines.js';
import { Host } from './plain-host.js';
import { onCleanSlate } from './clean-slate.js';

onCleanSlate();

/** Three blocks, of which the last is not full. */
const SIZE = 2 * BLOCK + 88;
const SPECS = [
  { name: 'm', initial: 0 },
  { name: 'v', initial: 0.5, neverNegative: true },
];
const PLACES = ['device:f32', 'device:q8', 'host:f32', 'host:q8'] as const;
type Place = (typeof PLACES)[number];

const make = (place: Place, from?: tf.Tensor[], { specs = SPECS, shape = [SIZE] } = {}) => {
  const weight = tf.tidy(() => tf.variable(tf.zeros(shape), true, 'w'));
  const host = new Host();
  const storage = { isQuantized: place.endsWith('q8'), isOnHost: place.startsWith('host') };
  const state = new WeightState(
    weight,
    specs,
    { storage, host: storage.isOnHost ? host : null },
    from,
  );
  return { state, weight, host };
};
const read = async (state: WeightState) => {
  const held = state.hold();
  const saved = await held.read();
  held.dispose();
  return saved.map(({ tensor }) => valuesOf(tensor));
};
const filled = (value: number) => Array.from({ length: SIZE }, () => value);
/** One value a block, which 8 bits keep exactly: the largest of its block. */
const inBlocks = (...values: number[]) =>
  Array.from({ length: SIZE }, (_, i) => values[Math.floor(i / BLOCK)] ?? NaN);
const M = inBlocks(-1, 100, 0.25);
const V = inBlocks(4, 0.5, 1024);
const tensors = () => [M, V].map((values) => tf.tensor1d(values));
const close = (found: number[][], expected: number[][]) => {
  expect(found.map((values) => values.length)).toEqual(expected.map((values) => values.length));
  const errors = expected.map((values, s) =>
    values.map((value, i) => Math.abs((found[s]?.[i] ?? NaN) - value) / (Math.abs(value) || 1)),
  );
  expect(errors.flat().every((error) => error < 1e-6)).toBe(true);
};

describe.each(PLACES)('%s', (place) => {
  const isQuantized = place.endsWith('q8');
  const isOnHost = place.startsWith('host');

  test('fresh: each tensor is filled with its initial value', async () => {
    const { state, host } = make(place);
    close(await read(state), [filled(0), filled(0.5)]);
    expect([state.steps, state.isQuantized]).toEqual([0, isQuantized]);
    expect(await state.badSlotOnHost()).toBe(null);
    expect(host.held).toBe(isOnHost ? (isQuantized ? 3 : 2) : 0);
    state.dispose();
    expect(host.held).toBe(0);
  });

  test('from values: they are copied, block by block, and stay the caller’s', async () => {
    const given = tensors();
    const { state } = make(place, given);
    tf.dispose(given);
    close(await read(state), [M, V]);
    state.dispose();
  });

  test('its names are those of the weight, and saved tensors have its shape', async () => {
    const { state } = make(place, undefined, { shape: [4, BLOCK] });
    const held = state.hold();
    const saved = await held.read();
    expect(saved.map(({ name, tensor }) => [name, tensor.dtype, tensor.shape])).toEqual([
      ['w/m', 'float32', [4, BLOCK]],
      ['w/v', 'float32', [4, BLOCK]],
    ]);
    held.dispose();
    const names = state.use(({ state: variables, quantized }) => {
      const all = [...variables.values(), ...(quantized ? [quantized.scales] : [])];
      return all.map(({ name, trainable, dtype, shape }) => [name, trainable, dtype, shape]);
    });
    const words = ['int32', [4, BLOCK_WORDS]];
    const floats = ['float32', [4, BLOCK]];
    const types = isQuantized ? [words, words, ['float32', [2, 4]]] : [floats, floats];
    expect(names).toEqual(types.map((type, i) => [['w/m', 'w/v', 'w/scales'][i], false, ...type]));
    state.dispose();
  });

  test('an update sees the variables by name, and what it writes is kept', async () => {
    const { state } = make(place, undefined);
    state.use(({ state: variables, quantized }) => {
      expect([...variables.keys()]).toEqual(['m', 'v']);
      expect(quantized && [...quantized.kinds]).toEqual(
        isQuantized
          ? [
              ['m', 'signed'],
              ['v', 'positive'],
            ]
          : null,
      );
      tf.tidy(() => {
        const all = quantized ? quantized.scales : (variables.get('v') as tf.Variable);
        all.assign(tf.mul(all, 4));
      });
    });
    // v is the byte 255 times its scale, or the value itself.
    close(await read(state), [filled(0), filled(2)]);
    state.dispose();
  });

  test('hold() keeps the values of now, though an update follows', async () => {
    const given = tensors();
    const { state } = make(place, given);
    tf.dispose(given);
    const held = state.hold();
    state.reset();
    const saved = (await held.read()).map(({ tensor }) => valuesOf(tensor));
    // Plain moments on the device are handed out as they are, without a copy.
    close(saved, place === 'device:f32' ? [filled(0), filled(0.5)] : [M, V]);
    held.dispose();
    state.dispose();
  });

  test('reset() fills the same variables afresh', async () => {
    const given = tensors();
    const { state } = make(place, given);
    tf.dispose(given);
    const listed = state.list().map(({ variable }) => variable);
    const numTensors = tf.memory().numTensors;
    state.reset();
    close(await read(state), [filled(0), filled(0.5)]);
    expect(state.list().map(({ variable }) => variable)).toEqual(listed);
    expect(tf.memory().numTensors).toBe(numTensors);
    state.dispose();
  });

  test('replace() changes nothing until it is committed; disposed, it never does', async () => {
    const { state } = make(place);
    const numTensors = tf.memory().numTensors;
    const given = tensors();
    const left = state.replace(given);
    close(await read(state), [filled(0), filled(0.5)]);
    left.dispose();
    close(await read(state), [filled(0), filled(0.5)]);
    const taken = state.replace(given);
    tf.dispose(given);
    taken.commit();
    close(await read(state), [M, V]);
    state.replace().commit(); // fresh
    close(await read(state), [filled(0), filled(0.5)]);
    expect(tf.memory().numTensors).toBe(numTensors);
    state.dispose();
  });

  test('no memory for the new values: nothing has changed, and none is left behind', async () => {
    const given = tensors();
    const { state } = make(place, given);
    tf.dispose(given);
    const numTensors = tf.memory().numTensors;
    const engine = tf.engine();
    const makeTensor = engine.makeTensor.bind(engine);
    const runKernel = engine.runKernel.bind(engine);
    for (let fails = 1; fails <= 3; fails++) {
      let made = 0;
      const failing = () => {
        if (++made === fails) throw new Error('no memory');
      };
      vi.spyOn(engine, 'makeTensor').mockImplementation((...args) => {
        failing();
        return makeTensor(...args);
      });
      vi.spyOn(engine, 'runKernel').mockImplementation((...args) => {
        failing();
        return runKernel(...args) as never;
      });
      expect(() => state.replace()).toThrow('no memory');
      vi.restoreAllMocks();
    }
    expect(tf.memory().numTensors).toBe(numTensors);
    close(await read(state), [M, V]);
    state.dispose();
  });

  test('no memory for a new weight: what was made is freed', () => {
    const engine = tf.engine();
    const makeVariable = engine.makeVariable.bind(engine);
    const weight = tf.tidy(() => tf.variable(tf.zeros([SIZE]), true, 'w'));
    const host = new Host();
    const hold = host.hold.bind(host);
    const { numTensors } = tf.memory();
    let made = 0;
    const failing = () => {
      if (++made === 2) throw new Error('no memory');
    };
    vi.spyOn(engine, 'makeVariable').mockImplementation((...args) => {
      failing();
      return makeVariable(...args);
    });
    vi.spyOn(host, 'hold').mockImplementation((...args) => {
      failing();
      return hold(...args);
    });
    const storage = { isQuantized, isOnHost };
    expect(() => new WeightState(weight, SPECS, { storage, host: isOnHost ? host : null })).toThrow(
      'no memory',
    );
    expect(made).toBe(2);
    expect([tf.memory().numTensors, host.held]).toEqual([numTensors, 0]);
  });
});

describe('what is on the device between steps', () => {
  test('float32: the tensors, each with its initial value', () => {
    const { state, weight } = make('device:f32');
    const listed = state.list();
    expect(listed.map(({ initial, slots }) => [initial, slots])).toEqual([
      [0, ['m']],
      [0.5, ['v']],
    ]);
    expect(listed.every((entry) => entry.weight === weight)).toBe(true);
    expect(listed.map(({ variable }) => valuesOf(variable)[SIZE - 1])).toEqual([0, 0.5]);
    state.dispose();
  });

  test('8 bits: their scales alone, one row for each tensor', () => {
    const given = tensors();
    const { state, weight } = make('device:q8', given);
    tf.dispose(given);
    const listed = state.list();
    expect(listed.map((entry) => [entry.initial, entry.weight, entry.slots])).toEqual([
      [0, weight, ['m', 'v']],
    ]);
    const scales = valuesOf(listed[0]?.variable as tf.Variable);
    expect(scales).toEqual([1, 100, 0.25, 4, 0.5, 1024]);
    state.dispose();
  });

  test('on the host: nothing', () => {
    for (const place of ['host:f32', 'host:q8'] as const) {
      const { state, weight } = make(place);
      expect(state.list()).toEqual([]);
      state.dispose();
      weight.dispose();
    }
  });

  test('without state nothing is kept, 8 bits or not', async () => {
    for (const place of PLACES) {
      const { state, weight } = make(place, undefined, { specs: [] });
      expect(await read(state)).toEqual([]);
      state.dispose();
      weight.dispose();
    }
  });

  test('fresh state on the host is made there', () => {
    const kernels = vi.spyOn(tf.engine(), 'runKernel');
    for (const place of ['host:f32', 'host:q8'] as const) {
      const { state, weight } = make(place);
      weight.dispose();
      state.dispose();
    }
    expect(kernels.mock.calls.map(([name]) => name)).not.toContain('Fill');
  });

  test('8 bits on a backend that rounds whole numbers: only on the host, or if its engine can', async () => {
    tf.registerBackend('webgl', () => new MathBackendCPU());
    tf.copyRegisteredKernels('cpu', 'webgl');
    await tf.setBackend('webgl');
    const fits = (place: Place) => {
      make(place).state.dispose();
      tf.disposeVariables();
    };
    expect(() => fits('device:q8')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
    tf.disposeVariables();
    for (const place of ['device:f32', 'host:f32', 'host:q8'] as const) fits(place);
    registerEngine(tf.backend(), { device: currentDevice(), update: () => undefined });
    fits('device:q8');
    await tf.setBackend('cpu');
    tf.removeBackend('webgl');
  });

  test('of 8 bits that are all 0, no value is made on the host', () => {
    const specs = [{ name: 'm', initial: 0 }];
    const tensor = vi.spyOn(tf.engine(), 'makeTensor');
    const { state } = make('device:q8', undefined, { specs });
    expect(tensor).toHaveBeenCalledTimes(1); // the weight; tf.fill is a kernel
    state.dispose();
  });
});

describe('state on the host', () => {
  test.each(['host:f32', 'host:q8'] as const)('%s: uploaded once, for one update', (place) => {
    const { state, host } = make(place);
    const { numTensors } = tf.memory();
    const all = place === 'host:q8' ? 3 : 2;
    state.release(); // nothing was uploaded
    state.prepare();
    state.prepare();
    expect([host.uploads, tf.memory().numTensors]).toEqual([all, numTensors + all]);
    expect(() =>
      state.use(() => {
        throw new Error('the update');
      }),
    ).toThrow('the update');
    expect([host.uploads, tf.memory().numTensors]).toEqual([all, numTensors]);
    state.use(() => expect(host.uploads).toBe(2 * all));
    expect(tf.memory().numTensors).toBe(numTensors);
    state.dispose();
  });

  test('no room to upload all: what was uploaded is back, and the next try goes on', async () => {
    for (const place of ['host:f32', 'host:q8'] as const) {
      const given = tensors();
      const { state, weight, host } = make(place, given);
      tf.dispose(given);
      const { numTensors } = tf.memory();
      host.room = 1;
      expect(() => state.use(() => undefined)).toThrow('no room');
      expect([host.room, tf.memory().numTensors]).toEqual([1, numTensors]);
      host.room = 3;
      state.use(() => undefined);
      close(await read(state), [M, V]);
      state.dispose();
      weight.dispose();
    }
  });

  test('a NaN or an infinity is seen, in 8 bits by its scale', async () => {
    for (const [bad, slot] of [
      [NaN, 'v'],
      [-Infinity, 'm'],
    ] as const) {
      for (const place of PLACES) {
        const { state, weight } = make(place);
        state.use(({ state: variables, quantized }) => {
          const of = quantized ? quantized.scales : (variables.get(slot) as tf.Variable);
          const values = of.dataSync().slice();
          values[slot === 'm' ? 0 : values.length - 1] = bad;
          tf.tidy(() => of.assign(tf.tensor(values, of.shape)));
        });
        // What is on the device, list() has.
        const found = place.startsWith('device') ? null : slot;
        expect([place, await state.badSlotOnHost()]).toEqual([place, found]);
        state.dispose();
        weight.dispose();
      }
    }
  });
});
