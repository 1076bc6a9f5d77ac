// The folder that a run writes to: what is refused before training starts, and what is never touched.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { prepareOutput } from '#src/cli/train/output.js';
import { againstBuild, moduleAt } from '../../built.js';
import { RECORD } from '../../report/records.js';
import { evaluated, slowlane, temporaryFolder } from '../run-cli.js';

describe('a folder that cannot be written to ends the run before it starts', () => {
  const expectFailure = async (out: string, reason: string, remedy: string): Promise<void> => {
    const { code, stdout, stderr } = await slowlane(
      `train --engine wasm --steps 1 --out ${out}`.split(' '),
    );
    expect(stderr).toContain(reason);
    expect(stderr).toContain(`→ ${remedy}`);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(stdout).not.toContain('Trained');
    expect(code).toBe(1);
  };

  test('a file is there, or above it', async () => {
    const file = join(temporaryFolder(), 'taken');
    writeFileSync(file, 'mine');
    await expectFailure(file, 'is not a folder', 'Give a folder');
    await expectFailure(`${file}/out`, 'is not a folder', 'Give a folder');
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  test("somebody else's run.json", async () => {
    const out = temporaryFolder();
    writeFileSync(join(out, 'run.json'), '{"mine":true}');
    await expectFailure(out, 'was not written by slowlane', 'Move it away');
    expect(readFileSync(join(out, 'run.json'), 'utf8')).toBe('{"mine":true}');
    expect(readdirSync(out)).toEqual(['run.json']);
  });

  test.skipIf(!existsSync('/proc/self'))('one that takes no files', async () => {
    await expectFailure('/proc/self', "run.json can't be written: ", 'Give a folder');
  });

  // tsx, which loads the sources, needs the folder itself.
  test.skipIf(!againstBuild)('the folder that the process is in is gone', async () => {
    const gone = join(temporaryFolder(), 'gone');
    mkdirSync(gone);
    const { code, stderr } = await evaluated(
      `import { rmdirSync } from 'node:fs';
      process.chdir(${JSON.stringify(gone)});
      rmdirSync(${JSON.stringify(gone)});
      await import(${JSON.stringify(moduleAt('src/cli/main.js'))});`,
      ['train', '--steps', '1'],
    );
    expect(stderr).toBe(
      "slowlane: The folder you are in doesn't exist any more.\n" +
        '  → Go to one that exists (cd) and start again\n',
    );
    expect(code).toBe(1);
  });
});

describe('files', () => {
  test('are replaced where they are ours, and nothing else is left', async () => {
    const out = temporaryFolder();
    const earlier = await prepareOutput(out);
    await earlier.write(RECORD);
    await earlier.release();
    const later = await prepareOutput(out);
    await later.write({ ...RECORD, seed: 5 });
    await later.release();
    expect(readFileSync(later.recordPath, 'utf8')).toContain('"seed": 5');
    expect(readdirSync(out).toSorted()).toEqual(['report.html', 'run.json']);
  });

  test('that a killed run left unfinished go, others of such names stay', async () => {
    const out = temporaryFolder();
    const left = ['run.json.0123456789ab.unfinished', 'report.html.0123456789ab.unfinished'];
    const mine = ['run.json.mine.unfinished', 'notes.0123456789ab.unfinished'];
    for (const name of [...left, ...mine]) writeFileSync(join(out, name), '');
    await (await prepareOutput(out)).release();
    expect(readdirSync(out).toSorted()).toEqual(mine.toSorted());
  });

  test('are not written through a link', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    mkdirSync(out);
    const [precious, run] = [join(folder, 'precious'), join(out, 'run.json')];
    symlinkSync(precious, run);
    await expect(prepareOutput(out)).rejects.toThrow(/run\.json is in the way: it is a link/);
    expect(existsSync(precious)).toBe(false);
    expect(lstatSync(run).isSymbolicLink()).toBe(true);
  });

  test('a foreign run.json.unfinished is neither followed nor overwritten', async () => {
    const out = temporaryFolder();
    const [precious, link] = [join(out, 'precious'), join(out, 'run.json.unfinished')];
    writeFileSync(precious, 'mine');
    symlinkSync(precious, link);
    await (await prepareOutput(out)).write(RECORD);
    expect(readFileSync(precious, 'utf8')).toBe('mine');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  test('a foreign file that appears during the run stays, and the error says where ours is', async () => {
    const out = temporaryFolder();
    const output = await prepareOutput(out);
    writeFileSync(output.recordPath, 'mine');
    const error: unknown = await output.write(RECORD).catch((thrown: unknown) => thrown);
    expect(readFileSync(output.recordPath, 'utf8')).toBe('mine');
    const [aside] = readdirSync(out).filter((name) => name.endsWith('.unfinished'));
    expect(error).toMatchObject({ remedy: `What belongs there is in ${join(out, aside!)}` });
    expect(JSON.parse(readFileSync(join(out, aside!), 'utf8'))).toEqual(RECORD);
  });
});
