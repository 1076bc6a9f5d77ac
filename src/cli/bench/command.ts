// `slowlane bench`: its benchmarks as subcommands.

import { Command } from 'commander';

import type { FitOptions } from './fit/fit-record.js';
import type { MemoryOptions } from './memory/memory-record.js';
import type { SpeedOptions } from './speed/speed-record.js';
import type { SyncOptions } from './sync/sync-record.js';
import { fitCommand } from './fit/command.js';
import { memoryCommand } from './memory/command.js';
import type { BenchRequest } from './options.js';
import { speedCommand } from './speed/command.js';
import { syncCommand } from './sync/command.js';

export interface BenchRunners {
  fit(request: BenchRequest<FitOptions>): Promise<void>;
  memory(request: BenchRequest<MemoryOptions>): Promise<void>;
  speed(request: BenchRequest<SpeedOptions>): Promise<void>;
  sync(request: BenchRequest<SyncOptions>): Promise<void>;
  show(file: string): Promise<void>;
}

/** The command; the runners get checked options. `settings` are those of the program. */
export function benchCommand(run: BenchRunners, settings: Command): Command {
  const command = new Command('bench')
    .description('Measure on this machine, by training.')
    .copyInheritedSettings(settings);
  const commands = [
    memoryCommand((request) => run.memory(request)),
    fitCommand((request) => run.fit(request)),
    speedCommand((request) => run.speed(request)),
    syncCommand((request) => run.sync(request)),
    new Command('show')
      .description('Print the table of a record that --json wrote.')
      .argument('<file>', 'the record')
      .action((file: string) => run.show(file)),
  ];
  for (const one of commands) command.addCommand(one.copyInheritedSettings(settings));
  return command;
}
