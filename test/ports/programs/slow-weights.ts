// Two models that have slow weights and moments on the host, the second beside the first:
// node slow-weights.ts '{"engine": {}, "slow": "host:f32", "moments": "host:f32"}'

import { adam, lookahead, type LookaheadOptions } from 'slowlane';
import { startWebGPU, type WebGPUOptions } from 'slowlane/webgpu';

import { print, read, settle, squares, variables, type Reading } from './report.js';

export interface SlowWanted {
  readonly engine: WebGPUOptions;
  readonly slow: NonNullable<LookaheadOptions['slow']>;
  readonly moments: 'device:f32' | 'host:f32' | 'host:q8';
}

export interface SlowRead {
  readonly one: Reading;
  readonly two: Reading;
  /** Of the weights of one model. */
  readonly weightBytes: number;
}

const { engine, slow, moments } = JSON.parse(process.argv[2] ?? '') as SlowWanted;
const [count, rows, columns] = [8, 512, 512];
const gpu = await startWebGPU(engine);
const models = [];
const readings: Reading[] = [];
for (const what of ['one', 'two']) {
  const weights = variables(count, [rows, columns]);
  const loss = squares(weights);
  const optimizer = lookahead(adam({ gradients: 'release', moments }), { slow, syncPeriod: 2 });
  models.push({ weights, optimizer }); // alive to the end
  for (let i = 0; i < 5; i++) await optimizer.step(loss, false, weights);
  await optimizer.sync();
  await settle(gpu);
  readings.push(await read(what, gpu));
}
const [one, two] = readings as [Reading, Reading];
const result: SlowRead = { one, two, weightBytes: 4 * count * rows * columns };
print(result);
