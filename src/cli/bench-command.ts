// `slowlane bench`: its benchmarks as subcommands, with their options as commander shows them in --help.

import { Command, InvalidArgumentError, type Option } from 'commander';

import { mostLayers } from '../bench/fit/estimate.js';
import type { FitOptions } from '../bench/fit/fit-record.js';
import { FIT_POLICIES } from '../bench/policies.js';
import { formatBytes } from '../memory/quantities.js';
import { UsageError } from './cli-error.js';
import { choice, parsed, syncPeriod } from './command-options.js';
import { sizeInBytes, wholeNumber } from './option-values.js';

const FIT_AFTER = `
Policies:
${FIT_POLICIES.map(({ name, title }) => `  ${name.padEnd(21)}${title}`).join('\n')}

Examples:
  slowlane bench fit --vram 64MiB
  slowlane bench fit --vram 2GiB --width 2048 --json fit.json
  slowlane bench fit --vram 64MiB --policy release+device:q8

Every try trains in a process of its own. Only a try that the budget refuses counts as a no.
Exit code 0: all were measured; 1: a try failed; 2: the request was wrong; 130: stopped with Ctrl-C.
`;

const NO_LIMIT = 2 ** 31 - 1;

/** What commander hands over; its parsers and choices make these types true. */
interface RawFit {
  readonly vram: number;
  readonly width: number;
  readonly batch: number;
  readonly steps: number;
  readonly syncPeriod: number;
  readonly maxLayers: number;
  readonly tryTimeout: number;
  readonly policy?: readonly string[];
  readonly adapter?: string;
  readonly json?: string;
}

/** A benchmark with its options, and what is done with its record. */
export interface BenchRequest<Options> {
  readonly options: Options;
  /** Undefined: the record is not written. */
  readonly json: string | undefined;
}

export interface BenchRunners {
  fit(request: BenchRequest<FitOptions>): Promise<void>;
  show(file: string): Promise<void>;
}

/** The command; the runners get checked options. `settings` are those of the program. */
export function benchCommand(run: BenchRunners, settings: Command): Command {
  const command = new Command('bench')
    .description('Measure on this machine, by training.')
    .copyInheritedSettings(settings);
  command.addCommand(fitCommand(run).copyInheritedSettings(settings));
  command.addCommand(
    new Command('show')
      .description('Print the table of a record that --json wrote.')
      .argument('<file>', 'the record')
      .copyInheritedSettings(settings)
      .action((file: string) => run.show(file)),
  );
  return command;
}

function fitCommand(run: BenchRunners): Command {
  const command = new Command('fit')
    .description(
      'Find the largest stack of dense layers that trains within a hard budget, under each policy.',
    )
    .addOption(
      parsed(
        '--vram <size>',
        'the budget on the device: 64MiB, 2GiB',
        sizeInBytes,
      ).makeOptionMandatory(),
    )
    .addOption(count('--width <n>', 'of each layer, which has n × n weights', 2 ** 16).default(512))
    .addOption(count('--batch <n>', 'examples a step').default(8))
    .addOption(count('--steps <n>', 'of a try, with a sync among them').default(6))
    .addOption(syncPeriod())
    .addOption(policyOption())
    .addOption(count('--max-layers <n>', 'no larger stack is tried').default(1000))
    .addOption(count('--try-timeout <seconds>', 'for one try', 2 ** 20).default(1800))
    .addOption(
      parsed('--adapter <name>', "part of the adapter's name (default: the fast one)", notEmpty),
    )
    .addOption(parsed('--json <file>', 'write the record to this file', notEmpty))
    .addHelpText('after', FIT_AFTER);
  return command.action(() => run.fit(checkedFit(command.opts<RawFit>())));
}

function policyOption(): Option {
  const names = FIT_POLICIES.map(({ name }) => name);
  const option = choice('--policy <name>', 'only this one; may be given again', names);
  const parseOne = option.parseArg;
  return option.argParser((text, earlier?: readonly string[]) => {
    parseOne?.(text, undefined); // refuses what is none of them
    return [...(earlier ?? []), text];
  });
}

function count(flags: string, description: string, max = NO_LIMIT): Option {
  return parsed(flags, description, wholeNumber(1, max));
}

function notEmpty(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('It must not be empty.');
}

function checkedFit(raw: RawFit): BenchRequest<FitOptions> {
  const { vram: vramBytes, width, batch, steps, syncPeriod, maxLayers, policy } = raw;
  if (steps < syncPeriod) {
    throw new UsageError(
      `--steps ${steps} ends before the first sync, with --sync-period ${syncPeriod}. ` +
        `Give at least --steps ${syncPeriod}.`,
    );
  }
  if (mostLayers({ vramBytes, width, maxLayers }) < 1) {
    throw new UsageError(
      `--vram ${formatBytes(vramBytes)} does not hold the weights of one layer of --width ${width} ` +
        `(${formatBytes(4 * width ** 2)}). Give more --vram or less --width.`,
    );
  }
  // In the order of the table, each once.
  const policies = FIT_POLICIES.map(({ name }) => name).filter(
    (name) => policy === undefined || policy.includes(name),
  );
  const tryTimeoutMs = raw.tryTimeout * 1000;
  const adapter = raw.adapter?.trim() ?? null;
  return {
    options: {
      vramBytes,
      width,
      batch,
      steps,
      syncPeriod,
      maxLayers,
      tryTimeoutMs,
      policies,
      adapter,
    },
    json: raw.json,
  };
}
