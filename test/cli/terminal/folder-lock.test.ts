// Who owns a folder, and when nobody does any more.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { lockFolder, type Owner, ownerOf } from '#src/cli/terminal/folder-lock.js';
import { temporaryFolder } from '../run-cli.js';

function locked(by: Partial<Owner>): string {
  const folder = temporaryFolder();
  const owner: Owner = {
    tool: 'slowlane',
    pid: process.pid,
    host: hostname(),
    since: '2026-01-02T03:04:05.678Z',
    processStart: null,
    ...by,
  };
  writeFileSync(join(folder, 'run.lock'), JSON.stringify(owner));
  return folder;
}

const ownerIn = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'run.lock'), 'utf8')) as Owner;

/** The pid of a process that has ended. */
const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid;

test('of two the first has it, until it releases it', async () => {
  const folder = temporaryFolder();
  const release = await lockFolder(folder);
  expect(await ownerOf(folder)).toMatchObject({ pid: process.pid, host: hostname() });
  await expect(lockFolder(folder)).rejects.toMatchObject({
    message: expect.stringContaining(`belongs to another run`) as string,
    remedy: 'Give another folder: --out DIR, or wait for its end',
  });
  await release();
  expect(await ownerOf(folder)).toBeNull();
  await (
    await lockFolder(folder)
  )();
  expect(readdirSync(folder)).toEqual([]);
});

test('the lock of a process that has ended is taken over', async () => {
  const folder = locked({ pid: deadPid() });
  expect(await ownerOf(folder)).toBeNull();
  const release = await lockFolder(folder);
  expect(ownerIn(folder).pid).toBe(process.pid);
  expect(readdirSync(folder)).toEqual(['run.lock']);
  await release();
});

test('of 8 that take it over at the same time, one has it', async () => {
  const folder = locked({ pid: deadPid() });
  const all = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  const won = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  expect(won.length).toBe(1);
  await won[0]!();
});

test.skipIf(!existsSync('/proc/self/stat'))(
  'a pid that was given to another process since: taken over',
  async () => {
    const folder = locked({ processStart: '1' });
    expect(await ownerOf(folder)).toBeNull();
    await (
      await lockFolder(folder)
    )();
  },
);

test('of another machine nobody here knows: refused, with the file to delete', async () => {
  const folder = locked({ host: 'elsewhere', pid: deadPid() });
  expect(await ownerOf(folder)).toMatchObject({ host: 'elsewhere' });
  await expect(lockFolder(folder)).rejects.toMatchObject({
    message: expect.stringContaining('on elsewhere') as string,
    remedy: expect.stringContaining(`delete ${join(folder, 'run.lock')}`) as string,
  });
});

test('a file of this name that is not ours stays', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'run.lock'), 'mine');
  await expect(lockFolder(folder)).rejects.toThrow('was not written by slowlane');
  expect(readFileSync(join(folder, 'run.lock'), 'utf8')).toBe('mine');
});
