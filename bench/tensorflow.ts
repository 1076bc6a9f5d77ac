// The TensorFlow engine: memory and time of a training step, of an update alone, and of the way to the host and back.
//   SLOWLANE_TENSORFLOW=$(node scripts/tensorflow-cache.mjs) npm run bench:tensorflow
//
// This file starts itself again for each contender, so that each has a process, and with it a peak, of its own:
// `tensorflow.js NAME`.

import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import Table from 'cli-table3';

import { startTensorFlow } from '../src/engines/tensorflow/index.js';
import { moves, syncs, updates } from './tensorflow/parts.js';
import { CONTENDERS, LAYERS, measure, type Measured, WIDTH } from './tensorflow/steps.js';

const [, , name] = process.argv;
if (name === undefined) await all();
else console.log(JSON.stringify(await measure(name)));

async function all(): Promise<void> {
  const { device, version } = await startTensorFlow();
  const [processor] = cpus();
  console.log(
    `libtensorflow ${version} on ${device}, tfjs ${tf.version_core}, Node ${process.versions.node}; ` +
      `${cpus().length} × ${processor?.model.trim()}`,
  );
  console.log(`\nA step: ${LAYERS} dense layers of ${WIDTH}×${WIDTH}, batch 32, k = 5`);
  const steps = table([
    'optimizer',
    'peak of the process, B/parameter',
    "tfjs's count, B/parameter",
    'of them slow weights and staging',
    'ms a step, median of 15 cycles',
    'ms of syncs a step, mean',
  ]);
  for (const contender of Object.keys(CONTENDERS)) {
    const measured = child(contender);
    steps.push([
      contender,
      measured.processBytes.toFixed(1),
      measured.countedBytes.toFixed(1),
      measured.hostBytes === 0 ? '–' : measured.hostBytes.toFixed(1),
      measured.stepMs.toFixed(1),
      measured.hostBytes === 0 ? '–' : measured.syncMs.toFixed(1),
    ]);
  }
  console.log(steps.toString());
  print('\nAn update of one weight: Adam, median ms', await updates());
  print('\n64 MiB to the host and back in chunks of 4 MiB, median ms', await moves());
  print("\nA sync of 64 MiB of weights, slow: 'host:f16', median ms", await syncs());
}

function child(contender: string): Measured {
  const self = [...process.execArgv, fileURLToPath(import.meta.url), contender];
  const said = execFileSync(process.execPath, self, { stdio: ['ignore', 'pipe', 'ignore'] });
  return JSON.parse(said.toString()) as Measured;
}

function print(title: string, rows: readonly (readonly [string, ...number[]])[]): void {
  console.log(title);
  const printed = table([]);
  for (const [label, ...numbers] of rows) {
    printed.push([label, ...numbers.map((number) => number.toFixed(2))]);
  }
  console.log(printed.toString());
}

function table(head: string[]): Table.Table {
  const [, ...numbers] = head;
  return new Table({
    head,
    colAligns: ['left', ...numbers.map(() => 'right' as const)],
    style: { head: [], border: [] },
  });
}
