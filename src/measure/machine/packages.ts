// The packages beside slowlane: where they lie, and their versions.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  try {
    const { version } = require(`${name}/package.json`) as { version: string };
    return version;
  } catch {
    const folder = packageFolder(name); // its `exports` may leave out its package.json
    return folder === null ? 'unknown' : readPackage(folder).version;
  }
}

/** Where `name` is installed for slowlane, whatever its `exports` say; null where it is not. */
export function packageFolder(name: string): string | null {
  const folder = folderAbove((one) => existsSync(join(one, 'node_modules', name, 'package.json')));
  return folder === null ? resolvedFolder(name) : join(folder, 'node_modules', name);
}

/** Without a folder node_modules (Yarn's Plug'n'Play) only the resolver knows. */
function resolvedFolder(name: string): string | null {
  const { resolve } = createRequire(import.meta.url);
  for (const request of [`${name}/package.json`, name]) {
    try {
      const file = resolve(request);
      return folderAbove((one) => nameOf(one) === name, dirname(file));
    } catch {
      continue;
    }
  }
  return null;
}

function nameOf(folder: string): string | null {
  return existsSync(join(folder, 'package.json')) ? readPackage(folder).name : null;
}

/** The next folder for which `isWanted`: `from`, by default that of this file, or one above it. */
export function folderAbove(
  isWanted: (folder: string) => boolean,
  from = dirname(fileURLToPath(import.meta.url)),
): string | null {
  let folder = from;
  while (!isWanted(folder)) {
    const above = dirname(folder);
    if (above === folder) return null;
    folder = above;
  }
  return folder;
}

export function readPackage(folder: string): { name: string; version: string } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
}
