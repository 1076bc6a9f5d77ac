import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';

import {
  innerOverrides,
  lookaheadOverrides,
  overrideOption,
  parseOverride,
} from '#src/cli/terminal/override.js';

test.each([
  ['embedding:slow=host:f16', { weights: 'embedding', slow: 'host:f16' }],
  [
    'norm|bias$:exclude,moments=device:q8',
    { weights: 'norm|bias$', exclude: true, moments: 'device:q8' },
  ],
  ['.:slow-step-size=0.25', { weights: '.', slowStepSize: 0.25 }],
  // A name may hold '=' and ','; its ':' is written \x3a.
  ['^a=b{1,2}\\x3a0$:exclude', { weights: '^a=b{1,2}\\x3a0$', exclude: true }],
])('%s', (text, expected) => {
  expect(parseOverride(text)).toEqual(expected);
});

test('\\x3a finds the colon of a name', () => {
  const [entry] = lookaheadOverrides([parseOverride('w\\x3a0:exclude')]);
  expect(entry?.weights.test('w:0')).toBe(true);
});

test.each([
  ['embedding', "It must be a regular expression on names of weights, ':' and settings"],
  [':slow=host:f16', 'It must be a regular expression'],
  ['embedding:', 'It must be a regular expression'],
  ['(?:a|b):exclude', "'(?' is not a regular expression. It ends at the first ':'; write \\x3a"],
  ['w:0:exclude', "It has no setting '0:exclude'."],
  ['a:slow', 'slow must be one of host:f32, '],
  ['a:slow=host:f15', 'slow must be one of host:f32, '],
  ['a:moments=f32', 'moments must be one of device:f32, '],
  ['a:slow-step-size=adaptive', 'must be a number from 0 to 1: adaptive is for all'],
  ['a:slow-step-size=', 'must be a number from 0 to 1: adaptive is for all'],
  ['a:slow=host:f16,slow=host:int8', 'It sets slow twice.'],
  ['a:exclude=yes', "exclude takes no value, got 'yes'."],
  ['a:exclude,slow=host:f16', 'exclude leaves no slow weights'],
  ['a:slo=host:f16', "It has no setting 'slo'. Did you mean 'slow'?"],
])('%s is refused', (text, message) => {
  expect(() => parseOverride(text)).toThrow(InvalidArgumentError);
  expect(() => parseOverride(text)).toThrow(message);
});

test('given twice: both, in order; each optimizer gets the entries that are for it', () => {
  const option = overrideOption();
  const parse = (text: string, previous: unknown) => option.parseArg?.(text, previous as never);
  const both = parse('b:slow=host:f16,moments=host:q8', parse('a:moments=device:q8', []));
  const overrides = both as never as Parameters<typeof innerOverrides>[0];
  expect(innerOverrides(overrides)).toEqual([
    { weights: /a/, moments: 'device:q8' },
    { weights: /b/, moments: 'host:q8' },
  ]);
  expect(lookaheadOverrides(overrides)).toEqual([{ weights: /b/, slow: 'host:f16' }]);
});
