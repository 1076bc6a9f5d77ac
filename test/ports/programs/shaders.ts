// Trains with all optimizers and formats and writes each WGSL module that slowlane makes into a folder: node shaders.ts FOLDER

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import * as tf from '@tensorflow/tfjs';
import { adagrad, adam, adamw, lion, Lookahead, lookahead, momentum, rmsprop, sgd } from 'slowlane';
import { startWebGPU } from 'slowlane/webgpu';

import { squares } from './report.js';

const [folder = 'shaders'] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const gpu = await startWebGPU();
const { device } = gpu.backend;
const make = device.createShaderModule.bind(device);
const written = new Set<string>();
device.createShaderModule = (module) => {
  const name = createHash('sha1').update(module.code).digest('hex').slice(0, 12);
  if (!written.has(name)) writeFileSync(join(folder, `${name}.wgsl`), module.code);
  written.add(name);
  return make(module);
};

const rules = [sgd, momentum, adagrad, rmsprop, adam, adamw, lion];
const shared = [{}, { clipValue: 1 }, { accumulate: 2 }] as const;
type Inner = ReturnType<typeof adam>;
let configurations = 0;
async function train(optimizer: Inner | Lookahead): Promise<void> {
  configurations += 1;
  const weights = [[64, 64], [65, 65], [64]].map((shape) =>
    tf.tidy(() => tf.variable(tf.randomNormal(shape))),
  );
  const loss = squares(weights);
  for (let i = 0; i < 3; i++) {
    if (optimizer instanceof Lookahead) {
      await optimizer.step(loss, false, weights);
    } else {
      optimizer.minimize(loss, false, weights);
      await optimizer.flush();
    }
  }
  optimizer.dispose();
  for (const weight of weights) weight.dispose();
}
for (const rule of rules) {
  for (const moments of ['device:f32', 'device:q8', 'host:q8'] as const) {
    for (const more of shared) await train(rule({ moments, ...more }));
  }
}
for (const slow of [
  'device:f32',
  'host:f32',
  'host:f16',
  'host:f16r8',
  'host:bf16',
  'host:int8',
] as const) {
  for (const innerState of ['maintain', 'reset', 'interpolate'] as const) {
    await train(lookahead(adam(), { slow, innerState, syncPeriod: 2 }));
  }
}
console.log(`\n${JSON.stringify({ configurations, modules: written.size })}`);
process.exit(0);
