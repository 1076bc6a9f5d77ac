// The gate `reference` refuses a public name that lacks a description, a number's unit, an error or an example.

import { beforeAll, expect, test } from 'vitest';

import { convertApi } from '../../scripts/reference/convert.js';
import { problemsOf } from '../../scripts/reference/problems.js';
import { entry } from '../built.js';

let problems: readonly string[];

beforeAll(async () => {
  const files = ['whole.ts', 'lacking.ts'].map((name) => entry(`test/scripts/documented/${name}`));
  const api = await convertApi(files, entry('test/scripts/documented/tsconfig.json'));
  problems = problemsOf(api, files);
});

const about = (name: string) => problems.filter((line) => line.includes(name));

test('a module that lacks nothing has no problem', () => {
  expect(about('whole')).toEqual([]);
  for (const name of ['wait', 'look:', 'lookSafely']) expect(about(name)).toEqual([]);
});

test('a name without a description is refused', () => {
  expect(about('NoDescription')).toEqual([
    expect.stringMatching(/NoDescription \(Interface\).* does not have any documentation/),
  ]);
});

test('a number that names no unit is refused; bytes and milliseconds in the text are enough', () => {
  expect(about('NoUnit')).toEqual(['lacking.NoUnit.limit: a number without its unit.']);
});

test('an error that is thrown two calls further down has to be named', () => {
  expect(about('noThrows')).toEqual([
    'noThrows: throws SlowlaneError, its @throws does not say so.',
  ]);
});

test('so has each class that is chosen at run time, by each call that reaches it', () => {
  expect(about('NoThrowsInMethod').toSorted()).toEqual([
    'NoThrowsInMethod.check: throws RangeError, its @throws does not say so.',
    'NoThrowsInMethod.check: throws TypeError, its @throws does not say so.',
    'NoThrowsInMethod.half: throws RangeError, its @throws does not say so.',
  ]);
});

test('a code that does not exist is refused', () => {
  expect(about('wrongCode')).toEqual(['wrongCode: @throws names NO_SUCH_CODE, which is no code.']);
});

test('a function without an example is refused', () => {
  expect(about('noExample')).toEqual(['lacking.noExample: a function without an @example.']);
});

test('these eight are all', () => expect(problems).toHaveLength(8));
