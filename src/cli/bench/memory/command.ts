// `slowlane bench memory`: its options as commander shows them in --help.

import type { Command } from 'commander';

import type { MemoryOptions } from './memory-record.js';
import { ALL_POLICIES } from '../../../measure/policies.js';
import {
  type BenchRequest,
  cellCommand,
  cellOptions,
  checkHasSync,
  count,
  ENGINES_TEXT,
  policiesText,
  type RawCell,
} from '../options.js';

const AFTER = `
Policies:
${policiesText(ALL_POLICIES)}

Examples:
  slowlane bench memory
  slowlane bench memory --layers 16 --width 2048 --json memory.json
  slowlane bench memory --policy tfjs-adam --policy release+device:f32
  slowlane bench memory --model transformer --batch 32
  slowlane bench memory --engine wasm --model mlp

${ENGINES_TEXT}
Every policy trains in a process of its own. Counts are exact: one run says it.
Exit code 0: all were measured; 1: one failed; 2: the request was wrong; 130: stopped with Ctrl-C.
`;

/** The runner gets checked options. */
export function memoryCommand(
  run: (request: BenchRequest<MemoryOptions>) => Promise<void>,
): Command {
  const command = cellCommand('memory', [count('--steps <n>', 'with a sync among them').default(6)])
    .description('Count what training takes at most, under each policy.')
    .addHelpText('after', AFTER);
  return command.action(() => {
    const raw = command.opts<RawCell>();
    checkHasSync(raw.steps, raw.syncPeriod);
    return run({ options: cellOptions(raw), json: raw.json });
  });
}
