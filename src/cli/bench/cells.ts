// The cells of `slowlane bench`, each measured in a process of its own.

import { fileURLToPath } from 'node:url';

import { type Conditions, type Ended, runCell } from '../../measure/process/run-cell.js';
import type { Measures } from './cell-main.js';

export type CellRequests = { readonly [Name in keyof Measures]: Parameters<Measures[Name]>[0] };
export type CellResults = {
  readonly [Name in keyof Measures]: Awaited<ReturnType<Measures[Name]>>;
};

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const file = fileURLToPath(new URL(`./cell-main${extension}`, import.meta.url));

export function measureCell<Name extends keyof Measures>(
  name: Name,
  request: CellRequests[Name],
  conditions: Conditions,
): Promise<Ended<CellResults[Name]>> {
  return runCell({ file, args: [name, JSON.stringify(request)] }, conditions);
}
