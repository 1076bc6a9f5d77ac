// Programs like the examples of TensorFlow.js. Each was written with tf.train, and needs at most five other lines to
// train with Lookahead. The same program is run as it was, with our rule alone, with Lookahead, and with a Lookahead in
// plain numbers.

import * as tf from '@tensorflow/tfjs';
import { Lookahead } from 'slowlane';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

import { expectTable, markdownTable } from '../marked-table.js';
import { changesOf, load, type Program, programs, textOf } from './program.js';
import { mode } from './stand-in.js';

interface Run {
  readonly losses: number[];
  readonly weights: number[][];
  readonly text: string | undefined;
  /** That are left of it: its weights, its data, and the state of its optimizer. */
  readonly tensors: number;
}

beforeAll(() => tf.setBackend('cpu'));

/** Every run of a program draws the same numbers: tfjs takes its seeds from Math.random. */
function seed(): void {
  let state = 7;
  vi.spyOn(Math, 'random').mockImplementation(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

const valuesOf = (weights: tf.Tensor[]) => weights.map((weight) => [...weight.dataSync()]);

async function run({ train }: Program): Promise<Run> {
  tf.disposeVariables(); // of the previous run
  const { numTensors } = tf.memory();
  seed();
  const { losses, weights, text } = await train();
  const tensors = tf.memory().numTensors - numTensors;
  return { losses, weights: valuesOf(weights), text, tensors };
}

async function standIn(name: string, as: typeof mode): Promise<Run> {
  Object.assign(mode, as);
  return run(await load(name, 'a stand-in'));
}

/** The Lookaheads that finish from now on. Each has to leave the slow weights in all variables. */
function watchFinish(): Lookahead[] {
  const { value } = Object.getOwnPropertyDescriptor(Lookahead.prototype, 'finish') ?? {};
  const finish = value as (this: Lookahead) => Promise<void>;
  const finished: Lookahead[] = [];
  const all = () => valuesOf(Object.values(tf.engine().registeredVariables));
  vi.spyOn(Lookahead.prototype, 'finish').mockImplementation(async function (this: Lookahead) {
    await finish.call(this);
    finished.push(this);
    const left = all();
    await this.withSlowWeights(() => expect(all()).toEqual(left));
  });
  return finished;
}

function expectClose(actual: number[], expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  const apart = actual.map((value, i) => Math.abs(value - (expected[i] ?? NaN)));
  expect(Math.max(...apart)).toBeLessThanOrEqual(1e-4);
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(programs)('%s', (name) => {
  let kept: Run;
  beforeAll(async () => {
    kept = await standIn(name, { gradients: 'keep', lookahead: 'none' });
  });
  afterEach(() => vi.restoreAllMocks());

  test("with our rule its losses and weights are those of tf.train's within 1e-4", async () => {
    const theirs = await run(await load(name, 'it was'));
    expectClose(kept.losses, theirs.losses);
    expectClose(kept.weights.flat(), theirs.weights.flat());
    expect(kept.text).toBe(theirs.text);
    expect(kept.tensors).toBeLessThanOrEqual(theirs.tensors);
  });

  test('with released gradients it gives the same bits as with gradients that are kept', async () => {
    expect(await standIn(name, { gradients: 'release', lookahead: 'none' })).toEqual(kept);
  });

  test('with Lookahead it trains, and ends with the slow weights: those of plain numbers, to the bit', async () => {
    const optimizers = watchFinish();
    const trained = await run(await load(name, 'it is'));
    expect(optimizers.length).toBeGreaterThan(0);
    const released = await standIn(name, { gradients: 'release', lookahead: 'slowlane' });
    expect(released).toEqual(trained);
    for (const optimizer of optimizers) {
      expect(optimizer.stats().syncs).toBe(Math.ceil(optimizer.iterations / 5)); // the last by finish()
      expect(optimizer.stats().syncs).toBeGreaterThan(1);
      optimizer.dispose();
    }
    const third = Math.floor(trained.losses.length / 3);
    expect(mean(trained.losses.slice(-third))).toBeLessThan(mean(trained.losses.slice(0, third)));
    const plain = await standIn(name, { gradients: 'keep', lookahead: 'plain' });
    expect(plain).toEqual(trained);
    expect(trained.weights.flat().every(Number.isFinite)).toBe(true);
    expect(trained.weights).not.toEqual(kept.weights);
    expect(trained.tensors).toBe(kept.tensors);
  });

  test('Lookahead took at most five lines, and without them nothing of slowlane is left', () => {
    const { changed, before } = changesOf(textOf(name));
    expect(changed.length).toBeGreaterThan(1);
    expect(changed.slice(5)).toEqual([]);
    expect(before).not.toMatch(/slowlane|lookahead/i);
  });
});

test('the docs list the programs', () => {
  expect(programs.length).toBeGreaterThanOrEqual(10);
  const rows = programs.map((name) => {
    const text = textOf(name);
    const [what = ''] = text.slice('// '.length).split(/[.:]\s/);
    const [, rule = ''] = /lookahead\((\w+)\(/.exec(text) ?? [];
    const link = `[${name}](../test/programs/${name}.ts)`;
    return [link, what.replaceAll('\n//', ''), `\`${rule}\``, `${changesOf(text).changed.length}`];
  });
  const head = ['program', 'what it does', 'rule', 'lines'];
  const table = markdownTable([head, ...rows], { numbersFrom: 3 });
  expectTable('docs/coming-from-tf-train.md', 'programs', table);
});
