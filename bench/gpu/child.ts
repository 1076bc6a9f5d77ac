// What one cell measures, in the process that was started for it.

import type { AdapterAnswer } from '../../src/measure/machine.js';
import { cellNamed } from './cells.js';
import type { Phase } from '../../src/measure/peaks.js';
import type { CellOptions, CellValues } from './record.js';

export type Result =
  | { readonly type: 'values'; readonly values: CellValues }
  | ({ readonly type: 'machine' } & AdapterAnswer);

export async function measureCell(
  name: string,
  optionsJson: string,
  enter: (phase: Phase) => void,
): Promise<Result> {
  const options = JSON.parse(optionsJson) as CellOptions;
  const cell = cellNamed(name);
  if (cell === undefined) throw new Error(`There is no cell '${name}'.`);
  if (cell.kind === 'internal') {
    if (name === 'crash') process.kill(process.pid, 'SIGSEGV');
    const { describeAdapter } = await import('../../src/measure/devices.js');
    return { type: 'machine', ...(await describeAdapter(options.adapter)) };
  }
  const { Meters } = await import('../../src/measure/meters.js');
  const meters = new Meters('set-up', enter);
  if (cell.kind === 'training') {
    const { measureTraining } = await import('./training.js');
    return { type: 'values', values: await measureTraining(name, options, meters) };
  }
  const { measureReference } = await import('./references.js');
  return { type: 'values', values: await measureReference(name, options, meters) };
}
