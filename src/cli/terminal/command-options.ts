// Options as commander takes them, and those that commands share.

import { Option } from 'commander';

import { wholeNumber } from './option-values.js';

export function choice(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, description).choices(choices);
}

export function parsed<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return new Option(flags, description).argParser((text) => parse(text));
}

export function syncPeriod(): Option {
  return parsed(
    '--sync-period <n>',
    "steps from sync to sync (the paper's k)",
    wholeNumber(1, 2 ** 31 - 1),
  ).default(5);
}
