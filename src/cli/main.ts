#!/usr/bin/env node
// The command line: commands, and what becomes of their errors. Exit codes: 0 done, 1 the run failed,
// 2 the request was wrong, 130 stopped with Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.

import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import { benchCommand } from './bench/command.js';
import { EXIT, reasonOf, RunError, UsageError } from './terminal/cli-error.js';
import { doctorCommand } from './doctor/command.js';
import { planCommand } from './plan/command.js';
import { reportCommand } from './report/command.js';
import { outliveReaders } from './terminal/standard-streams.js';
import { trainCommand } from './train/command.js';

outliveReaders();

const { version } = createRequire(import.meta.url)('slowlane/package.json') as { version: string };

const program = new Command('slowlane')
  .description(
    'Train bigger neural networks on small GPUs: Lookahead with its slow weights in host memory.',
  )
  .version(version)
  .exitOverride()
  .showHelpAfterError('(--help lists what is allowed)');

// Loaded only when needed: --help shouldn't wait for TensorFlow.js.
program.addCommand(
  trainCommand(async (options) => {
    checkWorkingFolder();
    const { train } = await import('./train/train.js');
    process.exitCode = await train(options, version);
  }).copyInheritedSettings(program),
);
program.addCommand(
  reportCommand(async (request) => {
    checkWorkingFolder();
    const { writeReport } = await import('./report/report.js');
    process.exitCode = await writeReport(request);
  }).copyInheritedSettings(program),
);
program.addCommand(
  planCommand(async (request) => {
    checkWorkingFolder();
    const { printPlan } = await import('./plan/plan.js');
    process.exitCode = await printPlan(request);
  }).copyInheritedSettings(program),
);
program.addCommand(
  benchCommand(
    {
      fit: async (request) => {
        checkWorkingFolder();
        const [{ runBenchmark }, { FIT }] = await Promise.all([
          import('./bench/run.js'),
          import('./bench/fit/fit.js'),
        ]);
        process.exitCode = await runBenchmark(FIT, request);
      },
      memory: async (request) => {
        checkWorkingFolder();
        const [{ runBenchmark }, { MEMORY }] = await Promise.all([
          import('./bench/run.js'),
          import('./bench/memory/memory.js'),
        ]);
        process.exitCode = await runBenchmark(MEMORY, request);
      },
      speed: async (request) => {
        checkWorkingFolder();
        const [{ runBenchmark }, { SPEED }] = await Promise.all([
          import('./bench/run.js'),
          import('./bench/speed/speed.js'),
        ]);
        process.exitCode = await runBenchmark(SPEED, request);
      },
      sync: async (request) => {
        checkWorkingFolder();
        const [{ runBenchmark }, { SYNC }] = await Promise.all([
          import('./bench/run.js'),
          import('./bench/sync/sync.js'),
        ]);
        process.exitCode = await runBenchmark(SYNC, request);
      },
      show: async (file) => {
        checkWorkingFolder();
        const { showBench } = await import('./bench/show.js');
        await showBench(file);
      },
    },
    program,
  ),
);
program.addCommand(
  doctorCommand(async (request) => {
    checkWorkingFolder();
    const { doctor } = await import('./doctor/doctor.js');
    process.exitCode = await doctor(request, version);
  }).copyInheritedSettings(program),
);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
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

/** Prints why it ended, and returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage; // already printed
  console.error(`slowlane: ${reasonOf(error)}`);
  if (error instanceof RunError) console.error(`  → ${error.remedy}`);
  if (process.env['DEBUG'] === 'slowlane') console.error(error);
  else if (!(error instanceof RunError || error instanceof UsageError)) {
    console.error('  → DEBUG=slowlane shows where it happened');
  }
  return error instanceof UsageError ? EXIT.usage : EXIT.failed;
}
