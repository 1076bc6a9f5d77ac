// The suite runs against the sources, or against dist/ (SLOWLANE_TARGET=build). What a test starts as a
// process of its own finds its imports through this.

import { fileURLToPath, pathToFileURL } from 'node:url';

export const againstBuild = process.env['SLOWLANE_TARGET'] === 'build';

const root = new URL('../', import.meta.url);

/** A file of the repository. */
export function entry(path: string): string {
  return fileURLToPath(new URL(path, root));
}

/** `src/…js` as the target has it, for `import()`. */
export function moduleAt(path: string): string {
  const file = againstBuild ? `dist/${path}` : path.replace(/\.js$/, '.ts');
  return pathToFileURL(entry(file)).href;
}
