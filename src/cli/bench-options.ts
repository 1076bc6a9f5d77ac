// Options that benchmarks share.

import { Command, InvalidArgumentError, type Option } from 'commander';

import { ALL_POLICIES, type BenchPolicy } from '../bench/policies.js';
import type { CellOptions } from '../bench/cell-options.js';
import { UsageError } from './cli-error.js';
import { choice, parsed, syncPeriod } from './command-options.js';
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

/** What commander hands over for `cellCommand`; its parsers and choices make these types true. */
export interface RawCell {
  readonly layers: number;
  readonly width: number;
  readonly batch: number;
  readonly steps: number;
  readonly syncPeriod: number;
  readonly policy?: readonly string[];
  readonly cellTimeout: number;
  readonly adapter?: string;
  readonly json?: string;
}

/** A command that measures a stack of layers, policy by policy; `own` options stand behind the stack's. */
export function cellCommand(name: string, own: readonly Option[]): Command {
  const command = new Command(name);
  const options = [
    count('--layers <n>', 'dense layers', 2 ** 16).default(4),
    count('--width <n>', 'of each layer, which has n × n weights', 2 ** 16).default(256),
    count('--batch <n>', 'examples a step').default(8),
    ...own,
    syncPeriod(),
    policyOption(ALL_POLICIES),
    count('--cell-timeout <seconds>', 'for one policy', 2 ** 20).default(1800),
    adapterOption(),
    jsonOption(),
  ];
  for (const option of options) command.addOption(option);
  return command;
}

export function cellOptions(raw: RawCell): CellOptions {
  const { layers, width, batch, steps, syncPeriod: period } = raw;
  return {
    layers,
    width,
    batch,
    steps,
    syncPeriod: period,
    cellTimeoutMs: raw.cellTimeout * 1000,
    policies: chosenPolicies(ALL_POLICIES, raw.policy),
    adapter: raw.adapter?.trim() ?? null,
  };
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
