// What the docstrings of the public API lack.

import { ERROR_CODES } from '../../src/checks/errors.js';
import type { ConvertedApi } from './convert.js';
import { functionsWithoutExample } from './examples.js';
import { callsThatHideErrors } from './thrown-errors.js';
import { numbersWithoutUnit } from './units.js';

/** One line for each. */
export function problemsOf(
  { app, project, warnings }: ConvertedApi,
  entryPoints: readonly string[],
): string[] {
  const program = app.getEntryPoints()?.[0]?.program;
  if (program === undefined) throw new Error('TypeDoc has no program of the entry points.');
  return [
    ...warnings.filter((line) => !isOfInlineType(line)),
    ...numbersWithoutUnit(project),
    ...functionsWithoutExample(project),
    ...callsThatHideErrors(program, entryPoints, ERROR_CODES),
  ];
}

/** A field of a type without a name is described where the type is. */
function isOfInlineType(line: string): boolean {
  return line.includes('.__type.') && line.endsWith('does not have any documentation');
}
