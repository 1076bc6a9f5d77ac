// Weights that cannot become slow weights.

import type * as tf from '@tensorflow/tfjs-core';

import { allNonFiniteIn, awaited } from '../engines/finite.js';
import type { Storable } from '../slow/slow-store.js';
import { isGone } from '../tfjs/variables.js';

/** The variables of `items` whose values in `source` hold a NaN or an infinity. */
export async function badIn(
  source: ReadonlyMap<tf.Variable, tf.Tensor>,
  items: Iterable<Storable>,
): Promise<readonly tf.Variable[]> {
  const given = [...items].flatMap(({ variable }) => {
    const tensor = source.get(variable);
    return tensor && !isGone(tensor) ? [{ variable, tensor }] : [];
  });
  const bad = await awaited(allNonFiniteIn(given.map(({ tensor }) => tensor)));
  return given.flatMap(({ variable, tensor }) => (bad.includes(tensor) ? [variable] : []));
}
