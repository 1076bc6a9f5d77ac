// The layer rule of CONTRIBUTING.md is held by `npm run lint`. Here forbidden imports are added to a copy
// of the sources, and each is seen refused.

import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { entry } from './built.js';

const COPIED = [
  'src',
  'workers',
  'scripts/rooms.mjs',
  '.dependency-cruiser.mjs',
  'tsconfig.json',
  'package.json',
];

let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'slowlane-layers-'));
  for (const path of COPIED) cpSync(entry(path), join(copy, path), { recursive: true });
  symlinkSync(entry('node_modules'), join(copy, 'node_modules'));
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

function layers(): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', 'src', 'workers'],
    { cwd: copy, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' } },
  );
  return { status, output: `${stdout}${stderr}` };
}

describe('the layer rule', () => {
  test('each forbidden import is refused, type imports and cycles too', () => {
    const add = (file: string, line: string) => appendFileSync(join(copy, file), `\n${line}\n`);
    add('src/checks/errors.ts', "export { meter } from '../meter/meter.js';"); // up
    add('src/checks/bytes.ts', "export type { Lookahead } from '../lookahead/lookahead.js';"); // up, a type
    add(
      'src/engines/portable/devices.ts',
      "export { startTensorFlow } from '../tensorflow/start.js';",
    ); // a room inside
    add('src/lookahead/stats.ts', "export type { Lookahead } from '../index.js';"); // the core's own door
    add('src/slow/layout.ts', "export { availableParallelism } from 'node:os';"); // Node in the core
    add('src/sync/chunk-pipeline.ts', "export { createBlender } from './node/worker-blender.js';");
    add('workers/blend.ts', "export type { SlowlaneError } from '../src/checks/errors.js';");
    writeFileSync(
      join(copy, 'src/plan/one.ts'),
      "export type { Two } from './two.js';\nexport type One = 1;\n",
    );
    writeFileSync(
      join(copy, 'src/plan/two.ts'),
      "export type { One } from './one.js';\nexport type Two = 2;\n",
    );
    writeFileSync(join(copy, 'src/loose.ts'), 'export const loose = 1;\n');
    add('src/plan/one.ts', "export { loose } from '../loose.js';");
    const { status, output } = layers();
    expect(status).not.toBe(0);
    const refused = output
      .split('\n')
      .filter((line) => line.includes(' error '))
      .map((line) => line.replace(/^.* error /, '').trim());
    for (const line of [
      'checks imports from the rooms before it alone: src/checks/errors.ts → src/meter/meter.ts',
      'checks imports from the rooms before it alone: src/checks/bytes.ts → src/lookahead/lookahead.ts',
      'engines imports from the rooms before it alone: src/engines/portable/devices.ts → src/engines/tensorflow/start.ts',
      'lookahead imports from the rooms before it alone: src/lookahead/stats.ts → src/index.ts',
      'the core runs in a browser: it imports nothing of Node: src/slow/layout.ts → os',
      'the core reaches a folder node/ by a subpath import alone: src/sync/chunk-pipeline.ts → src/sync/node/worker-blender.ts',
      'workers import nothing of src, and nothing of Node: workers/blend.ts → src/checks/errors.ts',
      'every file of src is in a room of scripts/rooms.mjs: src/plan/one.ts → src/loose.ts',
    ]) {
      expect(refused).toContain(line);
    }
    expect(output).toContain('no cycle: src/plan/one.ts');
  });
});
