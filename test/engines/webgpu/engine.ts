import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers'; // registers the gradients of tfjs-core's ops
import { afterEach, describe, vi } from 'vitest';

import { listenToBuffers } from '#src/measure/devices/buffers.js';
import { type WebGPUEngine, type WebGPUOptions, startWebGPU } from '#src/engines/webgpu/index.js';

import { noise, onTensorFlow } from '../../engines.js';
import { hasSwiftShader } from './swiftshader.js';

let running: WebGPUEngine | null = null;

/** Tests on the software adapter, where there is one; each test starts its own engine. */
export function describeWebGPU(tests: () => void): void {
  describe.skipIf(!hasSwiftShader || onTensorFlow)('on SwiftShader', () => {
    afterEach(() => {
      tf.disposeVariables();
      running?.stop();
      running = null;
      vi.restoreAllMocks();
    });
    tests();
  });
}

/** Stopped after the test. */
export async function start(options: WebGPUOptions = {}): Promise<WebGPUEngine> {
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  running = await startWebGPU(options);
  return running;
}

/** The bytes of all buffers of the device, counted where they are made and destroyed, not by the backend. */
export class BufferCount {
  bytes = 0;
  peakBytes = 0;

  /** Buffers made for tensors and uniforms, those for transfers left out. */
  made = 0;

  readonly #device: GPUDevice;
  readonly #unheard: GPUDevice['createBuffer'];

  constructor(device: GPUDevice, onEach: (bytes: number) => void = () => undefined) {
    this.#device = device;
    this.#unheard = device.createBuffer.bind(device);
    listenToBuffers(device, {
      onChange: (bytes, isMappable) => {
        this.bytes += bytes;
        this.peakBytes = Math.max(this.peakBytes, this.bytes);
        if (bytes > 0 && !isMappable) this.made += 1;
        onEach(this.bytes);
      },
    });
  }

  /** Slow weights are in host memory: their buffers count apart. */
  withoutHostBuffers({ hostBuffers }: WebGPUEngine['backend']): this {
    const device = this.#device;
    const create = hostBuffers.create.bind(hostBuffers);
    hostBuffers.create = (...given) => {
      const heard = device.createBuffer.bind(device);
      device.createBuffer = this.#unheard;
      try {
        return create(...given);
      } finally {
        device.createBuffer = heard;
      }
    };
    return this;
  }
}

/** Noise that nothing else shares the data of. */
export function variable(shape: number[], seed: number): tf.Variable {
  return tf.tidy(() => tf.variable(noise(shape, seed)));
}

/** Two dense layers, whose activations grow with the batch and whose gradients do not. */
export class TinyModel {
  readonly weights = [weight([16, 256], 'first/kernel'), weight([256, 4], 'second/kernel')];
  readonly optimizer: tf.Optimizer;

  constructor(optimizer: tf.Optimizer = tf.train.momentum(1e-5, 0.9)) {
    this.optimizer = optimizer;
  }

  /** One step on `batch` examples; the loss before it. */
  async step(batch: number): Promise<number> {
    const loss = tf.tidy(() => {
      const values = Float32Array.from({ length: batch * 16 }, (_, i) => Math.sin(i));
      const x = tf.tensor2d(values, [batch, 16]);
      const [first, second] = this.weights as [tf.Variable, tf.Variable];
      const f = (): tf.Scalar => {
        const hidden = tf.square(tf.matMul(x, first as tf.Tensor2D));
        return tf.sum(tf.square(tf.matMul(hidden, second as tf.Tensor2D)));
      };
      return this.optimizer.minimize(f, true, this.weights) as tf.Scalar;
    });
    try {
      const [value = Number.NaN] = await loss.data();
      return value;
    } finally {
      loss.dispose();
    }
  }
}

function weight(shape: [number, number], name: string): tf.Variable {
  return tf.tidy(() => tf.variable(tf.randomNormal(shape, 0, 0.1, 'float32', 1), true, name));
}

/** `fn`'s error; fails if there is none. */
export async function errorOf(fn: () => unknown): Promise<unknown> {
  try {
    await fn();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}
