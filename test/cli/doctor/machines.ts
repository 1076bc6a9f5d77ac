// Machines that are made up: files, programs and packages as a test says.

import type { Machine } from '#src/cli/doctor/machine.js';

export interface MadeUp {
  readonly env?: Readonly<Record<string, string>>;
  readonly platform?: string;
  readonly node?: string;
  /** By path. */
  readonly files?: Readonly<Record<string, string>>;
  /** What a program prints; an error is thrown. Others aren't there. */
  readonly programs?: Readonly<Record<string, string | Error>>;
  readonly packages?: Readonly<Record<string, string>>;
}

export function machine(made: MadeUp): Machine {
  const { env = {}, platform = 'linux', node = '20.20.2', files = {}, programs = {} } = made;
  const paths = Object.keys(files);
  return {
    env,
    platform,
    arch: 'x64',
    node,
    async readText(path) {
      const text = files[path];
      if (text === undefined) throw notFound();
      return text;
    },
    async list(folder) {
      const inside = paths.filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))];
    },
    exists: async (path) => path in files,
    async run(file) {
      const answer = programs[file] ?? notFound();
      if (typeof answer !== 'string') throw answer;
      return answer;
    },
    host: () => ({ cpu: 'made up', cores: 4, ramBytes: 2 ** 34, availableBytes: 2 ** 33 }),
    packageFolder: (name) => made.packages?.[name] ?? null,
  };
}

function notFound(): Error {
  return Object.assign(new Error('not found'), { code: 'ENOENT' });
}
