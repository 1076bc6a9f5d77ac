// Every TypeScript example of the README, the docs and the API reference runs as it is written, and every link leads
// somewhere. The examples of the reference are the @example tags of the docstrings: the gate `reference` keeps it current.

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import * as tf from '@tensorflow/tfjs';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';

import { entry } from './built.js';

const docs = readdirSync(entry('docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)
  .toSorted();
const pages = ['README.md', ...docs];
const linking = [...pages, 'CONTRIBUTING.md', 'CHANGELOG.md', 'examples/browser-mnist/README.md'];

const examples = pages.flatMap((page) => {
  const blocks = textOf(page).matchAll(/^```ts\n(.*?)^```$/gms);
  return [...blocks].map(([, code = ''], i) => ({ name: `${page}, example ${i + 1}`, code }));
});
const folder = entry('.cache/examples');

function textOf(page: string): string {
  return readFileSync(entry(page), 'utf8');
}

const fileOf = (name: string) => `${folder}/${name.replaceAll(/\W+/g, '-')}.ts`;

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, code } of examples) writeFileSync(fileOf(name), code);
  await tf.setBackend('cpu');
});

test('the README has a first example of 10 lines at most, and more', () => {
  const [first] = examples;
  const lines = first?.code.split('\n').filter((line) => line.trim() !== '') ?? [];
  expect(lines.length).toBeLessThanOrEqual(10);
  expect(examples.length).toBeGreaterThan(1);
});

describe('runs', () => {
  test.each(examples)('$name', async ({ name }) => {
    await import(/* @vite-ignore */ fileOf(name));
  });
});

// A variable shares the data of the tensor that it is made of. If that tensor stays, the first update in place copies the
// weight, for good.
test('variables are made in a tidy, which frees their initial tensors', () => {
  const others = examples.filter(({ code }) => /(?<!tf\.tidy\(\(\) => )tf\.variable\(/.test(code));
  expect(others.map(({ name }) => name)).toEqual([]);
});

test('all of them compile: TypeScript finds every name, and no wrong type', () => {
  const { config } = ts.readConfigFile(entry('tsconfig.json'), (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, entry('.'));
  const unused = { noUnusedLocals: false, noUnusedParameters: false, noEmit: true };
  const files = examples.map(({ name }) => fileOf(name));
  const program = ts.createProgram(files, { ...options, ...unused });
  const problems = files.flatMap((file) =>
    program.getSemanticDiagnostics(program.getSourceFile(file)),
  );
  expect(problems.map(({ file, messageText }) => [file?.fileName, messageText])).toEqual([]);
});

describe('every link leads to a file that is there, and to a heading that it has', () => {
  test.each(linking)('%s', (page) => {
    for (const [, link = ''] of textOf(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path = '', heading] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      expect(() => statSync(entry(target)), `${page}: ${link}`).not.toThrow();
      // Within the reference the anchors are TypeDoc's.
      if (heading !== undefined && !page.startsWith('docs/reference/')) {
        expect(headingsOf(target), `${page}: ${link}`).toContain(heading);
      }
    }
  });
});

/** As GitHub makes anchors of them: small letters, hyphens for spaces, -1, -2 for what is there already. */
function headingsOf(page: string): string[] {
  const seen = new Map<string, number>();
  return [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => {
    const anchor = text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}
