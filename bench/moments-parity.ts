// Whether 8-bit moments train as well as float32 ones: final test loss and curves, 5 seeds.
//   npm run bench:parity                                     an hour on one core
//   npm run bench:parity -- --condition mnist --seeds 2 --out parity.json
// What the file already has of other conditions stays in it; docs/parity-record.schema.json says what it has.
//
// The learning rate anneals to 0. At a constant one, steps as large as at the start leave weights that a
// change of one part in a million moves elsewhere: `control` shows how far, and `mnist-constant` that
// nothing smaller could be seen there.
//
// All on wasm, in this process, one training after the other.

import { version_core } from '@tensorflow/tfjs-core';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { compare, fulfils } from './parity/comparison.js';
import {
  type Comparison,
  DEMANDED,
  type Condition,
  type Judged,
  type Machine,
  type ParityRecord,
  readParityRecord,
  withCondition,
} from './parity/record.js';
import { gitCommit } from '../src/measure/machine/machine.js';
import { CONDITIONS, CONTENDERS, type Contender, train, type Trained } from './parity/training.js';

const { values: options } = parseArgs({
  options: {
    condition: { type: 'string', multiple: true, default: CONDITIONS.map(({ name }) => name) },
    seeds: { type: 'string', default: '5' },
    out: { type: 'string', default: 'bench/results/moments-parity.json' },
  },
});
await runAll();

async function runAll(): Promise<void> {
  const seeds = Array.from({ length: Number(options.seeds) }, (_, i) => i + 1);
  if (!(seeds.length >= 2)) throw new RangeError('--seeds must be a whole number of at least 2.');
  const names = CONDITIONS.map(({ name }) => name);
  const unknown = options.condition.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(`There is no condition '${unknown}', only ${names.join(', ')}.`);
  }
  writtenBefore(); // a file that is something else is found before the first training, not after it
  const machine: Machine = {
    cpu: `${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, one used`,
    node: process.versions.node,
    tfjs: version_core,
    backend: 'wasm',
    commit: await gitCommit(),
    startedAt: new Date().toISOString(),
  };
  console.log(
    `Adam; ${machine.cpu}, Node ${machine.node}, tfjs ${machine.tfjs}, commit ${machine.commit}`,
  );
  for (const condition of CONDITIONS.filter(({ name }) => options.condition.includes(name))) {
    console.log(`\n${titleOf(condition)}`);
    const trained: Record<Contender, Trained[]> = { f32: [], control: [], q8: [] };
    for (const seed of seeds) {
      for (const contender of CONTENDERS) {
        const one = await train({ condition, contender, seed });
        trained[contender].push(one);
        console.error(
          `  ${condition.name}, seed ${seed}, ${contender}: test loss ${one.testLoss.toFixed(5)}, ${one.seconds.toFixed(0)} s`,
        );
      }
      // After each: a run that is broken off leaves what it has.
      if (trained.f32.length >= 2) write(judge(machine, condition, trained));
    }
    console.log(tableOf(judge(machine, condition, trained)));
  }
}

function judge(
  machine: Machine,
  condition: Condition,
  trained: Readonly<Record<Contender, readonly Trained[]>>,
): Judged {
  const each = (of: (one: Trained) => number) => ({
    f32: trained.f32.map(of),
    control: trained.control.map(of),
    q8: trained.q8.map(of),
  });
  const q8 = compare(trained.q8, trained.f32);
  return {
    machine,
    condition,
    testLosses: each(({ testLoss }) => testLoss),
    testAccuracies: each(({ testAccuracy }) => testAccuracy),
    seconds: each(({ seconds }) => Math.round(seconds)),
    control: compare(trained.control, trained.f32),
    q8,
    fulfilled: fulfils(q8),
  };
}

function write(found: Judged): void {
  const record = withCondition(writtenBefore(), found);
  writeFileSync(options.out, `${JSON.stringify(record, null, 1)}\n`);
}

function writtenBefore(): ParityRecord | null {
  return existsSync(options.out) ? readParityRecord(readFileSync(options.out, 'utf8')) : null;
}

function titleOf({ name, steps, batchSize, learningRate, anneals, lookahead }: Condition): string {
  const rate = `learning rate ${learningRate}${anneals ? ' annealed to 0' : ', constant'}`;
  return `${name}: ${steps} steps, batch ${batchSize}, ${rate}${lookahead ? ', Lookahead' : ''}`;
}

function tableOf({ testLosses, control, q8, fulfilled }: Judged): string {
  const numbers = (values: readonly number[]) => values.map((value) => value.toFixed(4)).join('  ');
  const line = (name: string, { ratios, mean, standardError, correlations }: Comparison) =>
    `${name.padEnd(14)} ${numbers(ratios)}   mean ${mean.toFixed(4)} ± ${standardError.toFixed(4)}   ` +
    `curves ${correlations.raw.toFixed(5)}, smoothed ${correlations.smoothed.toFixed(6)}, second half ${correlations.rawSecondHalf.toFixed(5)}`;
  return [
    `f32 test loss  ${numbers(testLosses.f32)}`,
    line('control / f32', control),
    line('q8 / f32', q8),
    `every seed within ${100 * DEMANDED.within} % and curves ≥ ${DEMANDED.correlation}: ${fulfilled ? 'yes' : 'NO'}`,
  ].join('\n');
}
