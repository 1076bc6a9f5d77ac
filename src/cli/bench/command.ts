// `slowlane bench`: its benchmarks as subcommands.

import { Command } from 'commander';

import type { BenchCommand } from './benchmark.js';
import { FIT_COMMAND } from './fit/command.js';
import { adapterOption, jsonOption } from './options.js';
import type { BenchName } from './frame.js';
import { MEMORY_COMMAND } from './memory/command.js';
import { SPEED_COMMAND } from './speed/command.js';
import { SYNC_COMMAND } from './sync/command.js';

/** In the order of --help. */
export const BENCHMARKS: Readonly<Record<BenchName, BenchCommand>> = {
  memory: MEMORY_COMMAND,
  fit: FIT_COMMAND,
  speed: SPEED_COMMAND,
  sync: SYNC_COMMAND,
};

/** A benchmark with checked options. */
export interface BenchRequest {
  readonly name: BenchName;
  readonly options: object;
  /** Undefined: the record is not written. */
  readonly json: string | undefined;
}

export interface BenchRunners {
  measure(request: BenchRequest): Promise<void>;
  show(file: string): Promise<void>;
}

const EXIT_CODES =
  'Exit code 0: all were measured; 1: one failed; 2: the request was wrong; 130: stopped with Ctrl-C.\n';

/** `settings` are those of the program. */
export function benchCommand(run: BenchRunners, settings: Command): Command {
  const all = new Command('bench')
    .description('Measure on this machine, by training.')
    .copyInheritedSettings(settings);
  for (const name of Object.keys(BENCHMARKS) as BenchName[]) {
    const bench = BENCHMARKS[name];
    const command = new Command(name)
      .description(bench.description)
      .addHelpText('after', `${bench.help}\n${EXIT_CODES}`)
      .copyInheritedSettings(settings);
    for (const option of [...bench.options, adapterOption(), jsonOption()])
      command.addOption(option);
    command.action(() => {
      const { json, ...raw } = command.opts<{ json?: string }>();
      return run.measure({ name, options: bench.check(raw), json });
    });
    all.addCommand(command);
  }
  return all.addCommand(
    new Command('show')
      .description('Print the table of a record that --json wrote.')
      .argument('<file>', 'the record')
      .action((file: string) => run.show(file))
      .copyInheritedSettings(settings),
  );
}
