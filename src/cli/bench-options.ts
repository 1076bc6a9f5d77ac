// Options that benchmarks share.

import { Command, InvalidArgumentError, type Option } from 'commander';

import type { CellOptions } from '../bench/cell-options.js';
import { ALL_POLICIES, type BenchPolicy, policyNamed } from '../bench/policies.js';
import { HOST_FORMATS, isPacked, type SlowPlace } from '../bench/slow-places.js';
import type { SlowFormat } from '../policy/slow-format.js';
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
  return repeatable(
    '--policy <name>',
    policies.map(({ name }) => name),
  );
}

/** Choices, of which one or more are given. */
export function repeatable(flags: string, choices: readonly string[]): Option {
  const option = choice(flags, 'only this one; may be given again', choices);
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

/** What is trained. */
export function stackOptions(): Option[] {
  return [
    count('--layers <n>', 'dense layers', 2 ** 16).default(4),
    count('--width <n>', 'of each layer, which has n × n weights', 2 ** 16).default(256),
    count('--batch <n>', 'examples a step').default(8),
  ];
}

export function cellTimeoutOption(description: string): Option {
  return count('--cell-timeout <seconds>', description, 2 ** 20).default(1800);
}

/** A command that measures a stack of layers, policy by policy; `own` options stand behind the stack's. */
export function cellCommand(name: string, own: readonly Option[]): Command {
  const command = new Command(name);
  const options = [
    ...stackOptions(),
    ...own,
    syncPeriod(),
    policyOption(ALL_POLICIES),
    cellTimeoutOption('for one policy'),
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

/** Of slow weights in host memory. */
export function slowOption(): Option {
  return choice('--slow <format>', "of slowlane's Lookahead", HOST_FORMATS).default('host:f32');
}

/** Throws a UsageError where the format would change nothing. */
export function checkedSlow(
  slow: SlowFormat,
  { width, policies }: Pick<CellOptions, 'width' | 'policies'>,
): SlowFormat {
  checkIsPacked(slow, width);
  const hasSlow = policies.some((name) => policyNamed(name).slow === 'host');
  if (hasSlow || slow === 'host:f32') return slow;
  throw new UsageError(
    `--slow ${slow} is for slowlane's Lookahead, which none of these has: ${policies.join(', ')}. ` +
      'Add a policy that has it, like --policy keep+device:f32, or leave --slow out.',
  );
}

/** Measured again under another name, float32 would pass for the format. */
export function checkIsPacked(slow: SlowPlace, width: number): void {
  if (isPacked(slow, width)) return;
  throw new UsageError(
    `--slow ${slow} with --width ${width}: slow weights of a layer of ${width ** 2} weights stay float32, ` +
      `from 4,096 on they are packed. Give at least --width 64, or --slow host:f32.`,
  );
}

function notEmpty(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}
