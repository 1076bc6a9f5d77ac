// `npm run reference` writes docs/reference from the docstrings. With --check it writes nothing, and fails if the
// pages are not current. Both fail where a public name lacks a description, a number its unit, a call an error in
// its `@throws`, or a function its `@example`.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { convertApi } from './reference/convert.js';
import { problemsOf } from './reference/problems.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const ENTRY_POINTS = [
  'src/index.ts',
  'src/engines/webgpu/index.ts',
  'src/engines/wasm/index.ts',
  'src/engines/tensorflow/index.ts',
];
/** Types that the API mentions and that programs do not name. */
const NOT_EXPORTED = [
  // Lists of which only the names count, as `(typeof LIST)[number]`.
  'CATEGORIES',
  'ERROR_CODES',
  'GRADIENT_LIFETIMES',
  'INNER_STATES',
  'MOMENT_POLICIES',
  'KINDS',
  'NON_FINITE',
  'PHASES',
  'PLACES',
  'SLOW_FORMATS',
  // The record's definition, from which its schema is made.
  'Described',
  'TIMELINE',
  // Private: its methods are those of TensorFlow.js.
  'BudgetedBackend',
  // Parts of a LayersModel.
  'ModelLayer',
  'ModelWeight',
  'Shape',
  // The contract between Lookahead and the optimizer inside.
  'BeginStep',
  'InnerOptimizer',
];
const PAGES = join(root, 'docs/reference');

const checksOnly = process.argv.includes('--check');
const entries = ENTRY_POINTS.map((file) => join(root, file));
const api = await convertApi(entries, join(root, 'scripts/reference/tsconfig.json'), NOT_EXPORTED);
const problems = problemsOf(api, entries);

const made = checksOnly ? mkdtempSync(join(tmpdir(), 'slowlane-reference-')) : PAGES;
try {
  await api.app.outputs.writeOutput({ name: 'markdown', path: made }, api.project);
  if (checksOnly && contentOf(made) !== contentOf(PAGES)) {
    problems.push('docs/reference is not current: run npm run reference, and commit it.');
  }
} finally {
  if (checksOnly) rmSync(made, { recursive: true });
}

for (const problem of problems) console.error(problem);
if (problems.length > 0) {
  console.error(`${problems.length} problems of the API reference`);
  process.exitCode = 1;
}

function contentOf(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  return files
    .toSorted()
    .map((name) => `${name}\n${readFileSync(join(folder, name), 'utf8')}`)
    .join('\n');
}
