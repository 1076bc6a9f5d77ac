// Options that benchmarks share.

import { InvalidArgumentError, type Option } from 'commander';

import type { BenchPolicy } from '../bench/policies.js';
import { UsageError } from './cli-error.js';
import { choice, parsed } from './command-options.js';
import { wholeNumber } from './option-values.js';

const NO_LIMIT = 2 ** 31 - 1;

/** A benchmark with its options, and what is done with its record. */
export interface BenchRequest<Options> {
  readonly options: Options;
  /** Undefined: the record is not written. */
  readonly json: string | undefined;
}

export function count(flags: string, description: string, max = NO_LIMIT): Option {
  return parsed(flags, description, wholeNumber(1, max));
}

export function policyOption(policies: readonly BenchPolicy[]): Option {
  const names = policies.map(({ name }) => name);
  const option = choice('--policy <name>', 'only this one; may be given again', names);
  const parseOne = option.parseArg;
  return option.argParser((text, earlier?: readonly string[]) => {
    parseOne?.(text, undefined); // refuses what is none of them
    return [...(earlier ?? []), text];
  });
}

export function adapterOption(): Option {
  return parsed('--adapter <name>', "part of the adapter's name (default: the fast one)", notEmpty);
}

export function jsonOption(): Option {
  return parsed('--json <file>', 'write the record to this file', notEmpty);
}

/** For --help. */
export function policiesText(policies: readonly BenchPolicy[]): string {
  return policies.map(({ name, title }) => `  ${name.padEnd(21)}${title}`).join('\n');
}

/** Names in the order of the table, each once; all if none was given. */
export function chosenPolicies(
  policies: readonly BenchPolicy[],
  given: readonly string[] | undefined,
): string[] {
  return policies
    .map(({ name }) => name)
    .filter((name) => given === undefined || given.includes(name));
}

/** Without a sync there would be no Lookahead to measure. */
export function checkHasSync(steps: number, syncPeriod: number): void {
  if (steps >= syncPeriod) return;
  throw new UsageError(
    `--steps ${steps} ends before the first sync, with --sync-period ${syncPeriod}. ` +
      `Give at least --steps ${syncPeriod}.`,
  );
}

function notEmpty(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}
