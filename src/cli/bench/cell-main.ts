// The process of one cell of `slowlane bench`: `cell-main.js NAME OPTIONS`, started by cells.ts.

import { runCellHere } from '../../measure/process/cell-process.js';
import type { DeviceRequest } from '../../measure/devices/open-device.js';
import type { Phase } from '../../measure/record-parts.js';
import type { TryRequest } from './fit/try-stack.js';
import type { MemoryRequest } from './memory/count-memory.js';
import type { SpeedRequest } from './speed/time-policy.js';
import type { SyncRequest } from './sync/measure-syncs.js';

type Enter = (phase: Phase) => void;

const measures = {
  machine: async (request: DeviceRequest) =>
    (await import('../../measure/devices/open-device.js')).describeEngine(request),
  fit: async (request: TryRequest) => (await import('./fit/try-stack.js')).tryStack(request),
  memory: async (request: MemoryRequest, enter: Enter) =>
    (await import('./memory/count-memory.js')).countMemory(request, enter),
  speed: async (request: SpeedRequest, enter: Enter) =>
    (await import('./speed/time-policy.js')).timePolicy(request, enter),
  sync: async (request: SyncRequest) =>
    (await import('./sync/measure-syncs.js')).measureSyncs(request),
};
export type Measures = typeof measures;

const [, , name = '', request = ''] = process.argv;
await runCellHere<unknown>(async (enter) => {
  const measure = measures[name as keyof Measures] as
    | ((request: unknown, enter: Enter) => Promise<unknown>)
    | undefined;
  if (measure === undefined) throw new Error(`There is no cell '${name}'.`);
  return measure(JSON.parse(request), enter);
});
