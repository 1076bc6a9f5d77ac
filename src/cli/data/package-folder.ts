// Finds the folder of an installed data package, from where the user works or from where slowlane is.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { RunError } from '../terminal/cli-error.js';

export function packageFolder(name: string): string {
  for (const from of [import.meta.url, join(process.cwd(), 'package.json')]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {
      // not there, so try the next place
    }
  }
  throw new RunError(
    `The package ${name}, which holds the data, isn't installed.`,
    `npm install ${name}`,
  );
}
