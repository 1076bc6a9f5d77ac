// `slowlane doctor`: its options as commander shows them in --help.

import { Command, Option } from 'commander';

import { parsed, wholeNumber } from '../terminal/options.js';
import type { DoctorRequest } from './doctor.js';

const AFTER = `
Each engine is started as slowlane train starts it and takes two steps. Probes that load drivers or native code run in
their own processes, so a crash or a hang costs one line of the report.

Exit code 0: at least one engine trains; 1: none does; 130: stopped with Ctrl-C.
`;

/** The command; `run` gets checked options. */
export function doctorCommand(run: (request: DoctorRequest) => Promise<void>): Command {
  const command = new Command('doctor')
    .description('Report what this machine can train with, what is wrong, and how to fix it.')
    .addOption(new Option('--json', 'print the report as JSON (docs/doctor.md)').default(false))
    .addOption(parsed('--timeout <seconds>', 'for one probe', wholeNumber(1, 3600)).default(60))
    .addHelpText('after', AFTER);
  return command.action(() => run(command.opts<DoctorRequest>()));
}
