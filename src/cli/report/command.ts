// `slowlane report`: its arguments as commander shows them in --help.

import { Command } from 'commander';
import { fileName, parsed } from '../terminal/options.js';

export interface ReportRequest {
  /** Files of runs, or their folders. */
  readonly runs: readonly string[];
  readonly output: string;
}

const EXAMPLES = `
Examples:
  slowlane report out                             out/run.json, as report.html
  slowlane report out out-adam -o compared.html   two runs on the same axes
`;

export function reportCommand(run: (request: ReportRequest) => Promise<void>): Command {
  const command = new Command('report')
    .description('Show one run, or several beside each other, as one HTML page.')
    .argument('<run...>', 'run.json of slowlane train, or the folder it is in')
    .addOption(parsed('-o, --output <file>', 'the page to write', fileName).default('report.html'))
    .addHelpText('after', EXAMPLES);
  return command.action((runs: string[]) =>
    run({ runs, output: command.opts<{ output: string }>().output }),
  );
}
