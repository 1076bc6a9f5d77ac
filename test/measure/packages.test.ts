// Where packages lie that no folder node_modules has, as under Yarn's Plug'n'Play: the resolver knows.

import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';

import { moduleAt } from '../built.js';
import { evaluated, temporaryFolder } from '../cli/run-cli.js';

afterEach(() => vi.unstubAllEnvs());

test('a package is found by the resolver, also if its exports leave out its package.json', async () => {
  const folder = realpathSync(temporaryFolder());
  const make = (name: string, exports: object) => {
    mkdirSync(join(folder, name, 'lib'), { recursive: true });
    const content = { name, version: '1.2.3', ...exports };
    writeFileSync(join(folder, name, 'package.json'), JSON.stringify(content));
    writeFileSync(join(folder, name, 'lib/main.js'), '');
  };
  make('open-one', {});
  make('closed-one', { exports: { '.': './lib/main.js' } });
  vi.stubEnv('NODE_PATH', folder); // stands for a resolver of its own
  const { stdout, stderr } = await evaluated(
    `import { packageFolder, versionOf } from ${JSON.stringify(moduleAt('src/measure/machine/packages.js'))};
    const names = ['open-one', 'closed-one', 'no-one'];
    console.log(JSON.stringify(names.map((name) => [packageFolder(name), versionOf(name)])));`,
  );
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual([
    [join(folder, 'open-one'), '1.2.3'],
    [join(folder, 'closed-one'), '1.2.3'],
    [null, 'unknown'],
  ]);
});
