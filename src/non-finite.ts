// The error of a weight or gradient that must not become a slow weight.

import { SlowlaneError } from './errors.js';

/** `consequence`: what is the case now, and what to do. */
export function nonFiniteError(name: string, step: number, consequence: string): SlowlaneError {
  return new SlowlaneError(
    'NON_FINITE',
    `'${name}' holds a NaN or an infinity after step ${step}. ${consequence}.`,
    { weight: name, step },
  );
}
