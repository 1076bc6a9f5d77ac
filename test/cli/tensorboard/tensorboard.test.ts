// `slowlane train --tensorboard DIR`: the files that it leaves, read by a reader of the tests' own.

import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';

import { EventFile } from '#src/cli/tensorboard/event-file.js';
import { openTensorBoard } from '#src/cli/tensorboard/sink.js';

import { crc32c, readEvents } from './event-reader.js';
import { readRecord, slowlane, temporaryFolder } from '../run-cli.js';

const unexpected = (reason: string): void => {
  throw new Error(reason);
};

function eventFileIn(folder: string): string {
  const [name, ...others] = readdirSync(folder);
  expect(others).toEqual([]);
  expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\.[\w.-]+$/);
  return join(folder, name ?? '');
}

test('the checksum of the reader is CRC-32C: that of "123456789" is known', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

test('a run leaves each loss of its record, the evaluations, and what a step takes', async () => {
  const [out, runs] = [temporaryFolder(), join(temporaryFolder(), 'new', 'runs')];
  const { code, stdout } = await slowlane(
    `train --steps 12 --batch-size 16 --engine wasm --learning-rate 0.002 --out ${out} --tensorboard ${runs}`.split(
      ' ',
    ),
  );
  expect(code).toBe(0);
  const path = eventFileIn(runs);
  expect(stdout).toContain(`Events  ${path}`);
  const [version, ...events] = readEvents(path);
  expect(version).toMatchObject({ version: 'brain.Event:2', step: 0 });

  const record = readRecord(out);
  const points = events.filter(({ scalars }) => scalars.has('loss/batch'));
  expect(points.map(({ step, scalars }) => [step, scalars.get('loss/batch')])).toEqual(
    record.losses.map(({ step, loss }) => [step, Math.fround(loss ?? NaN)]),
  );
  let smoothed = record.losses[0]?.loss ?? NaN;
  for (const [i, { scalars }] of points.entries()) {
    smoothed = i === 0 ? smoothed : 0.95 * smoothed + 0.05 * (record.losses[i]?.loss ?? NaN);
    expect(scalars.get('loss/smoothed')).toBeCloseTo(smoothed, 5);
    expect(scalars.get('learning_rate')).toBe(Math.fround(0.002));
  }
  // The steps' times add up to the whole training; the last holds Adam's two moments beside the weights.
  const sum = points.reduce((ms, { scalars }) => ms + (scalars.get('step_ms') ?? NaN), 0);
  expect(sum).toBeCloseTo(record.wallMs.training, 0);
  expect(points.at(-1)?.scalars.get('device_bytes')).toBeGreaterThanOrEqual(
    3 * record.memory.weightBytes,
  );
  const evaluations = events.filter(({ scalars }) => !scalars.has('loss/batch'));
  expect(evaluations.map(({ step, scalars }) => [step, Object.fromEntries(scalars)])).toEqual(
    record.evaluations.map(({ weights, loss, accuracy }) => [
      12,
      {
        [`test_loss/${weights}`]: Math.fround(loss ?? NaN),
        [`test_accuracy/${weights}`]: Math.fround(accuracy),
      },
    ]),
  );
  const times = [version, ...events].map((event) => event?.wallSeconds ?? NaN);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(times[0]).toBeGreaterThan(Date.parse(record.startedAt) / 1000);
});

test('Ctrl-C leaves a whole file with the steps until then', async () => {
  const [out, runs] = [temporaryFolder(), temporaryFolder()];
  const { code } = await slowlane(
    `train --steps 1000 --engine wasm --out ${out} --tensorboard ${runs}`.split(' '),
    {
      onStart: (child) =>
        child.stderr?.on('data', (text: unknown) => {
          if (String(text).includes('step 1/')) child.kill('SIGINT');
        }),
    },
  );
  expect(code).toBe(130);
  const [, ...events] = readEvents(eventFileIn(runs));
  expect(events.map(({ step }) => step)).toEqual(readRecord(out).losses.map(({ step }) => step));
  expect(events.length).toBeGreaterThan(0);
});

test('a folder that cannot be written to ends the run before it trains', async () => {
  const file = join(temporaryFolder(), 'taken');
  writeFileSync(file, 'mine');
  const { code, stdout, stderr } = await slowlane(
    `train --steps 1 --engine wasm --out ${temporaryFolder()} --tensorboard ${file}`.split(' '),
  );
  expect(stderr).toContain(`--tensorboard ${file} can't be written to: ${file} is not a folder.`);
  expect(stderr).toContain('→ Give a folder that you may write to: --tensorboard DIR');
  expect(stdout).not.toContain('Trained');
  expect(code).toBe(1);
  expect(readFileSync(file, 'utf8')).toBe('mine');
});

test('a port for --live that is taken leaves no file of a run that never was', async () => {
  const listener = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void listener.close());
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const [out, runs] = [temporaryFolder(), join(temporaryFolder(), 'runs')];
  const { code, stderr } = await slowlane(
    `train --steps 1 --engine wasm --out ${out} --tensorboard ${runs} --live ${port}`.split(' '),
  );
  expect(code).toBe(1);
  expect(stderr).toContain(`--live ${port} can't be used: another program listens there.`);
  expect(existsSync(runs)).toBe(false);
});

test('what is added is in the file while the run goes on', async () => {
  const file = await EventFile.create(temporaryFolder(), unexpected);
  onTestFinished(() => file.close());
  file.add(2 ** 40 + 5, { größe: -0.5, other: NaN });
  while (readEvents(file.path).length < 2) await wait(50);
  const [, event] = readEvents(file.path);
  expect(event?.step).toBe(2 ** 40 + 5);
  expect([...(event?.scalars ?? [])]).toEqual([
    ['größe', -0.5],
    ['other', NaN],
  ]);
});

test('runs that begin in the same second have files of their own, and are told to part', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
  onTestFinished(() => void vi.useRealTimers());
  const folder = join(temporaryFolder(), 'runs');
  mkdirSync(folder);
  const warnings: string[] = [];
  const first = await openTensorBoard(folder, unexpected);
  const before = readFileSync(first.path);
  const second = await openTensorBoard(folder, (message) => warnings.push(message));
  await Promise.all([first.close(), second.close()]);
  expect(second.path).toBe(`${first.path}.1`);
  expect(readFileSync(first.path)).toEqual(before);
  expect(warnings).toEqual([
    expect.stringMatching(/events of other runs.*Give each its own: --tensorboard .*\/NAME$/),
  ]);
});

test('a disk that fills up is said once, and never stops the run', async () => {
  const reasons: string[] = [];
  const folder = temporaryFolder();
  const file = await EventFile.create(folder, (reason) => reasons.push(reason));
  const any = await open(join(folder, 'any'), 'w');
  const prototype = Object.getPrototypeOf(any) as typeof any;
  await any.close();
  const append = vi.spyOn(prototype, 'appendFile').mockRejectedValue(new Error('ENOSPC: full'));
  onTestFinished(() => append.mockRestore());
  file.add(1, { loss: 1 });
  while (reasons.length === 0) await wait(50);
  file.add(2, { loss: 1 });
  await file.close();
  expect(reasons).toEqual(['ENOSPC: full']);
  expect(append).toHaveBeenCalledTimes(1); // what follows half a record could not be read
});
