// Trains stacks of weights one after the other, and frees each: node stacks.ts '{"stacks": [[300, [100]]], "engine": {}}'

import { adam, lookahead } from 'slowlane';
import { startWebGPU, VramBudgetError, type WebGPUOptions } from 'slowlane/webgpu';

import { print, read, settle, squares, variables, type Reading } from './report.js';

export interface StacksWanted {
  readonly stacks: readonly (readonly [number, number[]])[];
  readonly engine: WebGPUOptions;
  readonly steps?: number;
}

export interface StacksRead {
  readonly adapter: string;
  readonly readings: readonly Reading[];
  /** What a step threw, if it did: the name and the message. */
  readonly failed: string | null;
  readonly isOverBudget: boolean;
}

const { stacks, engine, steps = 7 } = JSON.parse(process.argv[2] ?? '') as StacksWanted;
const gpu = await startWebGPU(engine);
const readings: Reading[] = [];
let failure: unknown = null;
for (const [count, shape] of stacks) {
  const weights = variables(count, shape);
  const optimizer = lookahead(adam({ gradients: 'release' }), { syncPeriod: 3 });
  const loss = squares(weights);
  try {
    for (let i = 0; i < steps; i++) {
      await optimizer.step(loss, false, weights);
      readings.push(await read(`${count} × [${shape.join(', ')}], step ${i + 1}`, gpu));
    }
    await optimizer.finish();
  } catch (error) {
    failure = error;
    break;
  }
  optimizer.dispose();
  for (const weight of weights) weight.dispose();
  await settle(gpu);
  readings.push(await read(`${count} × [${shape.join(', ')}], freed`, gpu));
}
if (readings.length === 0) readings.push(await read('failed', gpu).catch(() => neverRead(failure)));
const result: StacksRead = {
  adapter: gpu.adapter.name,
  readings,
  failed: failure === null ? null : failure instanceof Error ? failure.message : 'unknown',
  isOverBudget: failure instanceof VramBudgetError,
};
print(result);

function neverRead(error: unknown): never {
  throw error;
}
