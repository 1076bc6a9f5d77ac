#!/usr/bin/env node
// The command line: its commands, and how it ends. Exit codes: 0 done, 1 the run failed, 2 the request was wrong,
// 130 stopped with Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.

import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import { Command, CommanderError } from 'commander';
import { benchCommand } from './bench/command.js';
import { EXIT, reasonOf, RunError, UsageError } from './terminal/cli-error.js';
import { doctorCommand } from './doctor/command.js';
import { planCommand } from './plan/command.js';
import { reportCommand } from './report/command.js';
import { outliveReaders } from './terminal/standard-streams.js';
import { trainCommand } from './train/command.js';
import { say } from './terminal/print.js';

outliveReaders();

const { version } = createRequire(import.meta.url)('slowlane/package.json') as { version: string };

const program = new Command('slowlane')
  .description(
    'Train bigger neural networks on small GPUs: Lookahead with its slow weights in host memory.',
  )
  .version(version)
  .exitOverride()
  .showHelpAfterError('(--help lists what is allowed)');

const commands = [
  trainCommand(running(async () => (await import('./train/train.js')).train)),
  reportCommand(running(async () => (await import('./report/report.js')).writeReport)),
  planCommand(running(async () => (await import('./plan/plan.js')).printPlan)),
  benchCommand(
    {
      measure: running(async () => (await import('./bench/run.js')).runBenchmark),
      show: running(async () => (await import('./bench/run.js')).showBench),
    },
    program,
  ),
  doctorCommand(running(async () => (await import('./doctor/doctor.js')).doctor)),
];
for (const command of commands) program.addCommand(command.copyInheritedSettings(program));

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** The action of a command. Its module is loaded only when it runs: --help should not wait for TensorFlow.js. */
function running<Request>(
  load: () => Promise<(request: Request, version: string) => Promise<number>>,
): (request: Request) => Promise<void> {
  return async (request) => {
    checkWorkingFolder();
    const run = await load();
    process.exitCode = await run(request, version);
  };
}

/** Paths are resolved from it, here and in what we import. */
function checkWorkingFolder(): void {
  try {
    process.cwd();
  } catch (error) {
    throw new RunError(
      "The folder you are in doesn't exist any more.",
      'Go to one that exists (cd) and start again',
      { cause: error },
    );
  }
}

/** Prints the error, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage; // already printed
  say(`slowlane: ${reasonOf(error)}`);
  if (error instanceof RunError) say(`  → ${error.remedy}`);
  if (process.env['DEBUG'] === 'slowlane') say(inspect(error));
  else if (!(error instanceof RunError || error instanceof UsageError)) {
    say('  → DEBUG=slowlane shows where it happened');
  }
  return error instanceof UsageError ? EXIT.usage : EXIT.failed;
}
