// Milliseconds of a table.

import { NONE } from './table.js';

export function msText(value: number | undefined): string {
  if (value === undefined) return NONE;
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}
