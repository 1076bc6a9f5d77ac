/**
 * Checks at the door: what was wrong, what was received, what is allowed. Options are checked once,
 * where they are given; nothing behind the door checks them again.
 */

import { distance } from 'fastest-levenshtein';

/** A received value as a message shows it: `"0.1" (string)`, `NaN`, `[1,2] (array)`. */
export function shown(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'number') return String(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return `${value} (${typeof value})`;
  if (typeof value === 'string') return `${JSON.stringify(cut(value))} (string)`;
  if (typeof value === 'function') return `a function (${value.name || 'anonymous'})`;
  if (typeof value === 'symbol') return value.toString();
  return `${cut(asJson(value))} (${Array.isArray(value) ? 'array' : 'object'})`;
}

export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
  /** The bound itself is not allowed. */
  readonly above?: number;
  readonly below?: number;
  readonly whole?: boolean;
  /** Added to what the message allows: `'or a schedule'`. */
  readonly or?: string;
}

/** Returns `value` if it is a finite number within `range`; throws a TypeError or RangeError else. */
export function checkNumber(name: string, value: unknown, range: NumberRange = {}): number {
  const kind = typeof value === 'number' ? RangeError : TypeError;
  if (typeof value === 'number' && Number.isFinite(value) && isWithin(value, range)) return value;
  throw new kind(`${name} must be ${describeRange(range)}, got ${shown(value)}.`);
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError(`${name} must be true or false, got ${shown(value)}.`);
}

/** Throws a TypeError unless `value` is a function, the argument of `of`. */
export function checkFunction(of: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw new TypeError(`${of}() takes a function, got ${shown(value)}.`);
}

/** Returns `value` if it is one of `choices`. */
export function checkChoice<const C extends string>(
  name: string,
  value: unknown,
  choices: readonly C[],
): C {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const near = typeof value === 'string' ? nearest(value, choices) : undefined;
  const hint = near === undefined ? '' : ` Did you mean '${near}'?`;
  const kind = typeof value === 'string' ? RangeError : TypeError;
  throw new kind(`${name} must be ${listed(choices)}, got ${shown(value)}.${hint}`);
}

/** Names other libraries use for what is called differently here. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  lr: ['learningRate'],
  eta: ['learningRate'],
  stepsize: ['learningRate', 'slowStepSize'],
  rate: ['learningRate'],
  eps: ['epsilon'],
  b1: ['beta1'],
  b2: ['beta2'],
  rho: ['decay'],
  wd: ['weightDecay'],
  decay: ['weightDecay'],
  initialaccumulator: ['initialAccumulatorValue'],
  clip: ['clipNorm'],
  maxnorm: ['clipNorm'],
  maxgradnorm: ['clipNorm'],
  k: ['syncPeriod'],
  alpha: ['slowStepSize'],
};

/**
 * Returns `options` as an object whose names are all in `allowed`; `of` says whose options these are.
 * `undefined` stands for no options.
 */
export function checkKeys(
  of: string,
  options: unknown,
  allowed: readonly string[],
): Readonly<Record<string, unknown>> {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const usual = allowed.find((name) => name === 'learningRate') ?? allowed[0];
    const first = usual === undefined ? '{}' : `{ ${usual}: … }`;
    throw new TypeError(`${of} takes one object of options, ${first}, got ${shown(options)}.`);
  }
  for (const key of Object.keys(options)) {
    if (allowed.includes(key)) continue;
    const near = nearest(key, allowed);
    const hint = near === undefined ? '' : ` Did you mean '${near}'?`;
    throw new TypeError(`${of} has no option '${key}'.${hint} Its options: ${allowed.join(', ')}.`);
  }
  return options as Readonly<Record<string, unknown>>;
}

/** The allowed name that `word` was probably meant to be, or undefined. */
export function nearest(word: string, allowed: readonly string[]): string | undefined {
  const plain = simplified(word);
  const same = allowed.find((name) => simplified(name) === plain);
  if (same !== undefined) return same;
  const synonyms = Object.hasOwn(SYNONYMS, plain) ? SYNONYMS[plain] : undefined;
  const synonym = synonyms?.find((name) => allowed.includes(name));
  if (synonym !== undefined) return synonym;
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(plain.length / 3)) + 1;
  for (const name of allowed) {
    const edits = distance(plain, simplified(name));
    if (edits < bestEdits) [best, bestEdits] = [name, edits];
  }
  return best;
}

function isWithin(value: number, range: NumberRange): boolean {
  return (
    (range.min === undefined || value >= range.min) &&
    (range.max === undefined || value <= range.max) &&
    (range.above === undefined || value > range.above) &&
    (range.below === undefined || value < range.below) &&
    (range.whole !== true || Number.isInteger(value))
  );
}

function describeRange(range: NumberRange): string {
  const bounds = [
    range.min === undefined ? '' : `≥ ${range.min}`,
    range.above === undefined ? '' : `> ${range.above}`,
    range.max === undefined ? '' : `≤ ${range.max}`,
    range.below === undefined ? '' : `< ${range.below}`,
  ].filter((bound) => bound !== '');
  const kind = range.whole === true ? 'a whole number' : 'a finite number';
  return [kind, bounds.join(' and '), range.or ?? ''].filter((part) => part !== '').join(' ');
}

function listed(choices: readonly string[]): string {
  const quoted = choices.map((choice) => `'${choice}'`);
  if (quoted.length < 2) return quoted.join('');
  return `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}

function simplified(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

function asJson(value: object): string {
  try {
    return JSON.stringify(value) ?? Object.prototype.toString.call(value);
  } catch {
    return Object.prototype.toString.call(value); // cyclic, or holds a bigint
  }
}

function cut(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
