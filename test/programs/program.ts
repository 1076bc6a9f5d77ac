// The programs of this folder train with Lookahead, and their comments say which lines that took: a line `// was: CODE`
// says what the line after it was, and a line that ends in `// new` was not there.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

import type * as tf from '@tensorflow/tfjs';

import { entry } from '../built.js';

/** What each program exports. */
export interface Program {
  /** One loss for each epoch or step, and all weights as they are at the end. */
  readonly train: () => Promise<{ losses: number[]; weights: tf.Tensor[]; text?: string }>;
}

const FOLDER = 'test/programs';
const START = 'export async function train()';
const WAS = /^( *)\/\/ was: (.*)$/;
const NEW = /\/\/ new$/;

export function textOf(name: string): string {
  return readFileSync(entry(`${FOLDER}/${name}.ts`), 'utf8');
}

export const programs = readdirSync(entry(FOLDER))
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .filter((name) => textOf(name).includes(`\n${START}`));

/** The lines that Lookahead changed or added, and the whole text before that. */
export function changesOf(text: string): { changed: string[]; before: string } {
  const changed: string[] = [];
  const before: string[] = [];
  let was: string | null = null;
  for (const line of text.split('\n')) {
    const [, indent = '', code = null] = WAS.exec(line) ?? [];
    if (code === null && (was !== null || NEW.test(line))) changed.push(line.trim());
    if (code === null && !NEW.test(line)) before.push(was ?? line);
    was = code === null ? null : indent + code;
  }
  return { changed, before: before.join('\n') };
}

/** The program as it is, as it was with tf.train, or with the modules of `stand-in.ts` in place of slowlane. */
export async function load(name: string, as: 'it is' | 'it was' | 'a stand-in'): Promise<Program> {
  if (as === 'it is') return import(/* @vite-ignore */ entry(`${FOLDER}/${name}.ts`));
  const folder = entry('.cache/programs');
  mkdirSync(folder, { recursive: true });
  const file = `${folder}/${name}-${as === 'it was' ? 'was' : 'stand-in'}.ts`;
  const text = textOf(name);
  const standIn = `from '${entry(`${FOLDER}/stand-in.ts`)}'`;
  writeFileSync(
    file,
    as === 'it was' ? changesOf(text).before : text.replace("from 'slowlane'", standIn),
  );
  return import(/* @vite-ignore */ file);
}
