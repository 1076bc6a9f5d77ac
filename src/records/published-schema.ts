// The schemas of records, as they are published with the package in docs/.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const read = new Map<string, object>();

/** `docs/NAME.schema.json`; always the same object, since a schema is compiled once. */
export function publishedSchema(name: 'bench-record' | 'parity-record'): object {
  const known = read.get(name);
  if (known !== undefined) return known;
  const root = dirname(createRequire(import.meta.url).resolve('slowlane/package.json'));
  const text = readFileSync(join(root, 'docs', `${name}.schema.json`), 'utf8');
  const schema = JSON.parse(text) as object;
  read.set(name, schema);
  return schema;
}
