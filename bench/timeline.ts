/**
 * The memory of tfjs's Adam and of slowlane's, step by step: `node --import tsx bench/timeline.ts --out bench/results [--adapter swiftshader]`.
 *
 * Trains 8 dense layers of 256×256 for 10 steps with each, on slowlane's WebGPU engine, whose allocator can
 * be metered, and writes a record each: `slowlane report bench/results/timeline-*.json` shows them.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { openOurs, UNWATCHED } from '../src/measure/devices/devices.js';
import { versionOf } from '../src/measure/machine/packages.js';
import { makeStack } from '../src/measure/workloads/stack.js';
import { policyNamed } from '../src/measure/workloads/policies.js';
import { readLoss } from '../src/measure/workloads/steppers.js';
import { startPolicy } from '../src/measure/workloads/train-policy.js';
import { platformHere } from '../src/cli/train/record.js';
import { syncRecordOf } from '../src/cli/train/trainer.js';
import { meter } from '../src/index.js';
import {
  type LossPoint,
  RUN_RECORD_VERSION,
  type RunRecord,
  runRecordToJson,
} from '../src/records/run-record.js';
import { StepClock } from '../src/records/step-times.js';

const SIZE = { layers: 8, width: 256, batch: 32 };
const STEPS = 10;

/** Each with its policy of `slowlane bench`. */
type Recipe = readonly [policy: string, options: RunRecord['options']];
const RECIPES: Readonly<Record<string, Recipe>> = {
  'tfjs-adam': ['tfjs-adam', { inner: "tfjs's adam", lookahead: false }],
  adam: ['keep-adam', { inner: 'adam', lookahead: false }],
  lookahead: [
    'release+device:q8',
    { inner: 'adam', lookahead: true, gradients: 'release', moments: 'device:q8' },
  ],
};

const { values } = parseArgs({
  options: { out: { type: 'string', default: '.' }, adapter: { type: 'string' } },
});
for (const [name, recipe] of Object.entries(RECIPES)) {
  const file = join(values.out, `timeline-${name}.json`);
  await writeFile(file, runRecordToJson(await trained(name, recipe)));
  console.log(file);
}

async function trained(name: string, [policy, options]: Recipe): Promise<RunRecord> {
  const startedAt = new Date();
  const device = await openOurs(values.adapter, UNWATCHED);
  const metered = meter();
  const stack = await makeStack(device, SIZE);
  const stepper = await startPolicy(stack, policyNamed(policy), {
    syncPeriod: 5,
    slow: 'host:f16',
  });
  const clock = new StepClock();
  const losses: LossPoint[] = [];
  let peakBytes = 0;
  const start = performance.now();
  for (let step = 1; step <= STEPS; step++) {
    metered.beginStep(step);
    const before = performance.now();
    losses.push({ step, loss: await readLoss(await stepper.step(true)) });
    const stats = stepper.lookahead?.stats();
    clock.add(
      performance.now() - before,
      stats && { syncs: stats.syncs, totalMs: stats.syncMs.total, phases: stats.syncMs },
    );
    peakBytes = Math.max(peakBytes, tf.memory().numBytes);
  }
  metered.stop();
  const stats = stepper.lookahead?.stats();
  const training = performance.now() - start;
  const record: RunRecord = {
    version: RUN_RECORD_VERSION,
    tool: 'slowlane',
    toolVersion: versionOf('slowlane'),
    partial: false,
    ended: 'done',
    startedAt: startedAt.toISOString(),
    command: ['(bench/timeline.ts)', name],
    options: { ...options, ...SIZE },
    engine: { name: `webgpu (${device.engine.adapter.name.slice(0, 32)})`, note: '' },
    node: process.version,
    platform: platformHere(),
    seed: 1,
    data: { name: 'noise', trainCount: SIZE.batch, testCount: 0, testNote: 'nothing' },
    model: {
      name: 'dense stack',
      description: `${SIZE.layers} dense layers of ${SIZE.width}×${SIZE.width}, batch ${SIZE.batch}`,
      parameters: stack.parameters,
    },
    steps: { planned: STEPS, done: STEPS },
    wallMs: { training, total: Date.now() - startedAt.getTime() },
    losses,
    evaluations: [],
    validation: { step: [], fast: [], slow: [] },
    stepTimes: clock.columns(),
    timeline: metered.timeline(),
    memory: {
      weightBytes: 4 * stack.parameters,
      deviceBytes: peakBytes,
      host: stats?.host ?? null,
    },
    sync: stats === undefined ? null : syncRecordOf(stats),
  };
  tf.disposeVariables();
  device.engine.stop();
  return record;
}
