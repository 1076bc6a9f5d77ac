// The process of one cell of `slowlane bench`: `cell-main.js NAME OPTIONS`, started by cells.ts.

import { runCellHere } from '../../measure/cell-process.js';
import type { CellRequests, CellResults } from './cells.js';
import type { Phase } from '../../measure/driver-meter.js';

const measures: {
  readonly [Name in keyof CellRequests]: (
    request: CellRequests[Name],
    enter: (phase: Phase) => void,
  ) => Promise<CellResults[Name]>;
} = {
  machine: async (request) => {
    const { describeEngine } = await import('../../measure/open-device.js');
    return describeEngine(request);
  },
  fit: async (request) => {
    const { tryStack } = await import('./fit/try-stack.js');
    return tryStack(request);
  },
  memory: async (request, enter) => {
    const { countMemory } = await import('./memory/count-memory.js');
    return countMemory(request, enter);
  },
  speed: async (request, enter) => {
    const { timePolicy } = await import('./speed/time-policy.js');
    return timePolicy(request, enter);
  },
  sync: async (request) => {
    const { measureSyncs } = await import('./sync/measure-syncs.js');
    return measureSyncs(request);
  },
};

const [, , name = '', request = ''] = process.argv;
await runCellHere<unknown>(async (enter) => {
  const measure = measures[name as keyof CellRequests] as
    | ((request: unknown, enter: (phase: Phase) => void) => Promise<unknown>)
    | undefined;
  if (measure === undefined) throw new Error(`There is no cell '${name}'.`);
  return measure(JSON.parse(request), enter);
});
