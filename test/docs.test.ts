// Every TypeScript example of the README and the docs runs as it is written.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, test } from 'vitest';

import { entry } from './built.js';

/** What the examples take for granted: data of the shapes that they use. */
const PRELUDE = `
import * as prelude from '@tensorflow/tfjs';
const [x, y] = [prelude.randomNormal([64, 784]), prelude.randomNormal([64, 10])];
const [x3, y3] = [prelude.randomNormal([8, 3]), prelude.randomNormal([8, 1])];
void [x, y, x3, y3];
`;

const pages = [
  'README.md',
  ...readdirSync(entry('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const examples = pages.flatMap((page) => {
  const blocks = readFileSync(entry(page), 'utf8').matchAll(/^```ts\n(.*?)^```$/gms);
  return [...blocks].map(([, code = ''], i) => ({ name: `${page}, example ${i + 1}`, code }));
});
const folder = entry('.cache/examples');

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await tf.setBackend('cpu');
});

test('the README has a first example of 12 lines at most, and more', () => {
  const [first] = examples;
  expect(
    first?.code
      .trim()
      .split('\n')
      .filter((line) => line !== '').length,
  ).toBeLessThanOrEqual(12);
  expect(examples.length).toBeGreaterThan(1);
});

describe('runs', () => {
  test.each(examples)('$name', async ({ name, code }) => {
    const file = `${folder}/${name.replaceAll(/\W+/g, '-')}.ts`;
    writeFileSync(file, PRELUDE + code);
    await import(/* @vite-ignore */ file);
  });
});

test('every file that the README and the docs link to is there', () => {
  for (const page of pages) {
    const base = new URL(`file://${entry(page)}`);
    for (const [, link = ''] of readFileSync(entry(page), 'utf8').matchAll(
      /\]\((?!https?:)([^)#]+)/g,
    )) {
      const target = new URL(link, base).pathname;
      expect(() => readdirSync(target.replace(/[^/]*$/, '')), `${page}: ${link}`).not.toThrow();
      expect(readdirSync(target.replace(/[^/]*$/, '')), `${page}: ${link}`).toContain(
        target.split('/').pop(),
      );
    }
  }
});
