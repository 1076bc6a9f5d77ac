// The schemas of records, as they are published with the package in docs/.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

import type { JsonSchema } from './json-schema.js';

/** `docs/NAME.schema.json`. */
export function publishedSchema(name: 'bench-record' | 'parity-record' | 'run-record'): JsonSchema {
  const root = dirname(createRequire(import.meta.url).resolve('slowlane/package.json'));
  return JSON.parse(readFileSync(join(root, 'docs', `${name}.schema.json`), 'utf8')) as JsonSchema;
}
