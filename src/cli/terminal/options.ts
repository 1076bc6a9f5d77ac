// Options as commander takes them. Each reads one value from the command line, or says what it must be; commander adds
// what was received.

import { InvalidArgumentError, Option } from 'commander';
import { parseBytes } from '../../checks/bytes.js';

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

/** `--steps 300`. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = toNumber(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    const most = max === Number.MAX_SAFE_INTEGER ? '' : ` and ≤ ${max}`;
    throw new InvalidArgumentError(`It must be a whole number ≥ ${min}${most}.`);
  };
}

/** `--out results`. */
export function folderName(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It must be the name of a folder; . is the one you are in.');
}

/** `-o report.html`. */
export function fileName(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It must be the name of a file.');
}

/** `--learning-rate 1e-3`. */
export function positiveNumber(text: string): number {
  const value = toNumber(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError('It must be a number > 0.');
}

/** `--slow-step-size 0.5` or `adaptive`. */
export function stepSize(text: string): number | 'adaptive' {
  if (text === 'adaptive') return text;
  const value = toNumber(text);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("It must be a number from 0 to 1, or 'adaptive'.");
}

/** `--vram 512MiB`. `or`: what else is allowed, for the message. */
export function sizeInBytes(text: string, or = ''): number {
  try {
    return parseBytes('It', text);
  } catch {
    throw new InvalidArgumentError(`It must be a size with its unit (512MiB, 2GiB, 1.5 GB)${or}.`);
  }
}

/** `Number` takes an empty text for 0 and `0x10` for 16. */
function toNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}
