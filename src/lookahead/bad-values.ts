// NaN and infinity in weights and slots: what is said of them, and who looks.

import { firstNonFinite } from '../engines/finite.js';
import { SlowlaneError } from '../checks/errors.js';
import type { InnerOptimizer } from '../optimizers/inner.js';

export function nonFinite(name: string, step: number, consequence: string): SlowlaneError {
  return new SlowlaneError(
    'NON_FINITE',
    `'${name}' holds a NaN or an infinity after step ${step}. ${consequence}.`,
    { weight: name, step },
  );
}

/** A slot that holds a NaN or an infinity, or that a failing device spoilt: reading that throws. */
export async function hasBadSlot(inner: InnerOptimizer): Promise<boolean> {
  const slots = await inner.state();
  try {
    if (await inner.hasBadState?.()) return true;
    return (await firstNonFinite(slots.map(({ variable }) => variable))) !== null;
  } catch {
    return true;
  }
}
