// The cells of `slowlane bench`, each measured in a process of its own.

import { fileURLToPath } from 'node:url';

import type { TryRequest, TryResult } from './fit/try-stack.js';
import type { EngineAnswer } from '../../measure/machine.js';
import type { MemoryRequest } from './memory/count-memory.js';
import type { MemoryCounts } from './memory/memory-record.js';
import type { DeviceRequest } from '../../measure/open-device.js';
import type { Phase } from '../../measure/driver-meter.js';
import { type Conditions, type Ended, runCell } from '../../measure/run-cell.js';
import type { SpeedTimes } from './speed/speed-record.js';
import type { SpeedRequest } from './speed/time-policy.js';
import type { SyncRequest } from './sync/measure-syncs.js';
import type { SyncMeasured } from './sync/sync-record.js';

export interface CellRequests {
  machine: DeviceRequest;
  fit: TryRequest;
  memory: MemoryRequest;
  speed: SpeedRequest;
  sync: SyncRequest;
}

export interface CellResults {
  machine: EngineAnswer;
  fit: TryResult;
  memory: MemoryCounts;
  speed: SpeedTimes;
  sync: SyncMeasured;
}

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const file = fileURLToPath(new URL(`./cell-main${extension}`, import.meta.url));

export function measureCell<Name extends keyof CellRequests>(
  name: Name,
  request: CellRequests[Name],
  conditions: Conditions<Phase>,
): Promise<Ended<CellResults[Name], Phase>> {
  return runCell<CellResults[Name], Phase>(
    { file, args: [name, JSON.stringify(request)] },
    conditions,
  );
}
