// Options that benchmarks share, and checks that engine, model and policies go together.

import { InvalidArgumentError, type Option } from 'commander';

import type { CellOptions } from '../../measure/record-parts.js';
import {
  ALL_POLICIES,
  BENCH_ENGINES,
  type BenchEngine,
  type BenchPolicy,
  lacksPolicy,
  policyNamed,
  HOST_FORMATS,
  isQuantized,
  type SlowPlace,
  WORKLOAD_NAMES,
  type WorkloadName,
} from '../../measure/workloads/policies.js';
import type { SlowFormat } from '../../slow/slow-format.js';
import { UsageError } from '../terminal/cli-error.js';
import { choice, parsed, syncPeriod, wholeNumber } from '../terminal/options.js';

const NO_LIMIT = 2 ** 31 - 1;
const STACK = { layers: 4, width: 256 };

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
  return parsed(
    '--adapter <name>',
    "part of the WebGPU adapter's name (default: the fast one)",
    notEmpty,
  );
}

export function jsonOption(): Option {
  return parsed('--json <file>', 'write the record to this file', notEmpty);
}

/** What commander hands over for `workloadOptions`; its parsers and choices make these types true. */
export interface RawWorkload {
  readonly engine: BenchEngine;
  readonly model: WorkloadName;
  readonly layers?: number;
  readonly width?: number;
  readonly adapter?: string;
  readonly batch: number;
}

/** The same for `cellOptionList`. */
export interface RawCell extends RawWorkload {
  readonly policy?: readonly string[];
  readonly steps: number;
  readonly syncPeriod: number;
  readonly cellTimeout: number;
}

/** Where, and what. */
export function workloadOptions(): Option[] {
  return [
    choice('--engine <name>', 'where to train', BENCH_ENGINES).default('webgpu'),
    choice(
      '--model <name>',
      'what to train: a stack of dense layers, or a model of slowlane train',
      WORKLOAD_NAMES,
    ).default('stack'),
    count('--layers <n>', `of the stack (default: ${STACK.layers})`, 2 ** 16),
    count(
      '--width <n>',
      `of its layers, which have n × n weights (default: ${STACK.width})`,
      2 ** 16,
    ),
    count('--batch <n>', 'examples a step').default(8),
  ];
}

export function cellTimeoutOption(description: string): Option {
  return count('--cell-timeout <seconds>', description, 2 ** 20).default(1800);
}

/** Of a benchmark that measures policy by policy; `own` options stand behind what is trained. */
export function cellOptionList(own: readonly Option[]): Option[] {
  return [
    ...workloadOptions(),
    ...own,
    syncPeriod(),
    policyOption(ALL_POLICIES),
    cellTimeoutOption('for one policy'),
  ];
}

/** Throws a UsageError where options don't go together. */
export function workloadGiven(raw: RawWorkload) {
  const { engine, model, batch } = raw;
  checkCell(raw);
  return {
    engine,
    model,
    layers: model === 'stack' ? (raw.layers ?? STACK.layers) : null,
    width: model === 'stack' ? (raw.width ?? STACK.width) : null,
    batch,
    adapter: raw.adapter?.trim() ?? null,
  };
}

export function cellOptions(raw: RawCell): CellOptions {
  return {
    ...workloadGiven(raw),
    steps: raw.steps,
    syncPeriod: raw.syncPeriod,
    cellTimeoutMs: raw.cellTimeout * 1000,
    policies: policiesFor(raw).map(({ name }) => name),
  };
}

function checkCell({ engine, model, layers, width, adapter }: RawWorkload): void {
  if (engine !== 'webgpu' && adapter !== undefined) {
    throw new UsageError(
      `--adapter ${adapter} chooses an adapter of WebGPU, but --engine is ${engine}. ` +
        `Leave out --adapter, or use --engine webgpu.`,
    );
  }
  if (model === 'stack') return;
  const ofStack = [
    ...(layers === undefined ? [] : ['--layers']),
    ...(width === undefined ? [] : ['--width']),
  ];
  if (ofStack.length > 0) {
    throw new UsageError(
      `--model ${model} has one size, which leaves nothing to ${ofStack.join(' and ')}. ` +
        `Leave out one or the other, or use --model stack.`,
    );
  }
}

/** Those asked for, else all that the engine has. Throws a UsageError for one that it has not. */
function policiesFor({ engine, policy }: RawCell): readonly BenchPolicy[] {
  const there = ALL_POLICIES.filter((one) => lacksPolicy(engine, one) === null);
  if (policy === undefined) return there;
  const chosen = ALL_POLICIES.filter(({ name }) => policy.includes(name));
  for (const one of chosen) {
    const reason = lacksPolicy(engine, one);
    if (reason === null) continue;
    throw new UsageError(
      `--engine ${engine} has no policy ${one.name}: ${reason}. ` +
        `Its policies: ${there.map(({ name }) => name).join(', ')}.`,
    );
  }
  return chosen;
}

/** For --help. */
export function policiesText(policies: readonly BenchPolicy[]): string {
  return policies.map(({ name, title }) => `  ${name.padEnd(21)}${title}`).join('\n');
}

/** For --help. */
export const ENGINES_TEXT = `A model trains on one batch of random data from a seed, in the shape of its data set. Policies with offloaded
moments need --engine webgpu. Bytes per parameter are the allocator's with --engine
webgpu, and TensorFlow.js's own count elsewhere: the two cannot be compared.
Each policy trains in a process of its own.`;

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
export function checkIsPacked(slow: SlowPlace, width: number | null): void {
  if (width === null || isQuantized(slow, width)) return; // models have large layers
  throw new UsageError(
    `--slow ${slow} with --width ${width}: slow weights of a layer of ${width ** 2} weights stay float32, ` +
      `from 4,096 on they are packed. Give at least --width 64, or --slow host:f32.`,
  );
}

function notEmpty(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}
