// The cells of `slowlane bench`, each measured in a process of its own.

import { fileURLToPath } from 'node:url';

import type { TryRequest, TryResult } from './fit/try-stack.js';
import type { AdapterAnswer } from './machine.js';
import { type Conditions, type Ended, runCell } from './run-cell.js';

export interface CellRequests {
  machine: { readonly adapter: string | null };
  fit: TryRequest;
}

export interface CellResults {
  machine: AdapterAnswer;
  fit: TryResult;
}

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const file = fileURLToPath(new URL(`./cell-main${extension}`, import.meta.url));

export function measureCell<Name extends keyof CellRequests>(
  name: Name,
  request: CellRequests[Name],
  conditions: Conditions,
): Promise<Ended<CellResults[Name]>> {
  return runCell<CellResults[Name]>({ file, args: [name, JSON.stringify(request)] }, conditions);
}
