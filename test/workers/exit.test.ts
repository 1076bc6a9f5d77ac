import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('./faulty/blend-and-end.ts', import.meta.url));

test.each(['blended', 'killed an idle thread', 'closed'])(
  'a script that %s and ends exits by itself',
  (what) => {
    const { status, stdout, stderr, signal } = spawnSync(
      process.execPath,
      ['--import', 'tsx', script, what],
      {
        encoding: 'utf8',
        timeout: 20_000,
      },
    );
    expect({ status, stdout, stderr, signal }).toEqual({
      status: 0,
      stdout: '2,2 2,2',
      stderr: '',
      signal: null,
    });
  },
);
