// `--override 'embedding:slow=host:f16,moments=host:q8'`: other values for some weights.

import { InvalidArgumentError, Option } from 'commander';

import { nearest } from '../../checks/check.js';
import { MOMENT_POLICIES, type MomentPolicy } from '../../optimizers/step-options.js';
import { SLOW_FORMATS, type SlowFormat } from '../../slow/slow-format.js';

/** One `--override`, as it is kept in the run record. */
export interface Override {
  /** A regular expression on names of weights. */
  readonly weights: string;
  readonly slow?: SlowFormat;
  readonly slowStepSize?: number;
  readonly exclude?: true;
  readonly moments?: MomentPolicy;
}

type Values = Omit<Override, 'weights'>;

/** The settings by their names on the command line. */
const SETTINGS: Readonly<Record<string, (value: string | undefined) => Values>> = {
  slow: (value) => ({ slow: oneOf('slow', value, SLOW_FORMATS) }),
  'slow-step-size': (value) => ({ slowStepSize: numberOf(value) }),
  moments: (value) => ({ moments: oneOf('moments', value, MOMENT_POLICIES) }),
  exclude: (value) => {
    if (value === undefined) return { exclude: true };
    throw new InvalidArgumentError(`exclude takes no value, got '${value}'.`);
  },
};
const NAMES = Object.keys(SETTINGS);

export const OVERRIDE_HELP = `
--override sets other values for the weights that a regular expression finds by name. It can be given several times. Of
those that set slow, slow-step-size or exclude, the first that matches a weight counts; of those that set moments, too. The
expression ends at the first ':'. For a ':' in a name, write \\x3a. A name may contain '=' and ','. The settings follow, separated by ',':
  slow=<where:format>, slow-step-size=<number>, moments=<where:format>, exclude (no slow weights)
  --override 'embedding:slow=host:f16,moments=host:q8' --override 'norm|bias$:exclude'
`;

/** Can be given several times. */
export function overrideOption(): Option {
  return new Option(
    '--override <weights:settings>',
    "other values for some weights: 'embedding:slow=host:f16' (see below)",
  )
    .argParser((text, previous: readonly Override[]) => [...previous, parseOverride(text)])
    .default([], 'none');
}

export function parseOverride(text: string): Override {
  const end = text.indexOf(':');
  const weights = text.slice(0, Math.max(0, end));
  if (weights === '' || end === text.length - 1) {
    throw new InvalidArgumentError(
      "It must be a regular expression on names of weights, ':' and settings, like 'embedding:slow=host:f16'.",
    );
  }
  try {
    // Checked here, so that the message is about the option.
    RegExp(weights);
  } catch {
    throw new InvalidArgumentError(
      `'${weights}' is not a regular expression. It ends at the first ':'; write \\x3a for a ':' in it.`,
    );
  }
  const values: Values = {};
  for (const one of text.slice(end + 1).split(',')) {
    const value = setting(one);
    const twice = Object.keys(value).find((key) => key in values);
    if (twice !== undefined) throw new InvalidArgumentError(`It sets ${one.split('=')[0]} twice.`);
    Object.assign(values, value);
  }
  if (values.exclude === true && (values.slow ?? values.slowStepSize) !== undefined) {
    throw new InvalidArgumentError(
      'exclude leaves no slow weights for slow or slow-step-size to act on.',
    );
  }
  return { weights, ...values };
}

function setting(text: string): Values {
  const [name = '', ...rest] = text.split('=');
  const parse = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined;
  if (parse !== undefined) return parse(rest.length === 0 ? undefined : rest.join('='));
  const near = nearest(name, NAMES);
  const hint = near === undefined ? '' : ` Did you mean '${near}'?`;
  throw new InvalidArgumentError(
    `It has no setting '${name}'.${hint} Its settings: ${NAMES.join(', ')}. The expression ends at the first ':'.`,
  );
}

function oneOf<const C extends string>(
  name: string,
  value: string | undefined,
  choices: readonly C[],
): C {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`${name} must be one of ${choices.join(', ')}.`);
}

function numberOf(value = ''): number {
  const number = Number(value);
  if (value.trim() !== '' && number >= 0 && number <= 1) return number;
  throw new InvalidArgumentError(
    'slow-step-size of some weights must be a number from 0 to 1: adaptive is for all weights together.',
  );
}

/** For `lookahead()`: the entries that set more than moments. */
export function lookaheadOverrides(overrides: readonly Override[]) {
  return overrides.flatMap(({ weights, ...settings }) => {
    const values = Object.entries(settings).filter(([name]) => name !== 'moments');
    if (values.length === 0) return [];
    const set: Omit<Values, 'moments'> = Object.fromEntries(values);
    return [{ weights: RegExp(weights), ...set }];
  });
}

/** For the inner optimizer: the entries that set moments. */
export function innerOverrides(overrides: readonly Override[]) {
  return overrides.flatMap(({ weights, moments }) =>
    moments === undefined ? [] : [{ weights: RegExp(weights), moments }],
  );
}
