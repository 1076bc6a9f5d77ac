// The slow weights as plain data, from wherever they are, whatever has become of the device.

import { SlowlaneError } from '../../checks/errors.js';
import { isGone } from '../../tfjs/variables.js';
import { isWeight, type Tracked, type Tracking } from './tracking.js';
import { notCaptured } from './weights-changed.js';

/** The slow values of one weight, in plain memory: the caller's. */
export interface SlowWeight {
  /** The name of the weight. */
  readonly name: string;
  /** Its shape: elements per dimension. */
  readonly shape: number[];
  /** Its elements, row by row. */
  readonly values: Float32Array;
}

/**
 * Copies of the slow values of all weights, in the order in which these were first seen.
 *
 * @throws SlowlaneError NON_FINITE if one cannot be captured; DEVICE_LOST or DEVICE_FAILED if some went with the device: the others are in its details.
 */
export async function keptWeights(tracking: Tracking, round: number): Promise<SlowWeight[]> {
  const causes: SlowlaneError[] = [];
  const refused = tracking.needsCapture
    ? await orNoted(causes, () => tracking.capture(round))
    : null;
  if (refused) throw notCaptured(refused, round);
  const slowWeights: SlowWeight[] = [];
  const lostWeights: string[] = [];
  for (const tracked of tracking.live(isWeight)) {
    const values = await orNoted(causes, () => keptOf(tracking, tracked));
    const { name, shape } = tracked.variable;
    if (isGone(tracked.variable)) continue; // meanwhile
    if (values) slowWeights.push({ name, shape: [...shape], values });
    else lostWeights.push(name);
  }
  for (const { name, shape, slot, values } of tracking.waiting) {
    if (slot === null) slowWeights.push({ name, shape: [...shape], values: values.slice() });
  }
  const [cause] = causes;
  if (cause && lostWeights.length > 0) throw wentAlong(cause, lostWeights, slowWeights);
  return slowWeights;
}

/** null: they never came into the store. */
async function keptOf(tracking: Tracking, tracked: Tracked): Promise<Float32Array | null> {
  return tracking.isCaptured(tracked) ? tracking.store.kept(tracked) : null;
}

const OF_DEVICES: readonly string[] = ['DEVICE_LOST', 'DEVICE_FAILED'];

/** null, and `causes` has why, if the device was lost with the result, or did not return it. */
async function orNoted<T>(causes: SlowlaneError[], work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (cause) {
    const isDevices = cause instanceof SlowlaneError && OF_DEVICES.includes(cause.code);
    if (!isDevices) throw cause;
    causes.push(cause);
    return null;
  }
}

function wentAlong(
  cause: SlowlaneError,
  lostWeights: readonly string[],
  slowWeights: readonly SlowWeight[],
): SlowlaneError {
  const those = `${lostWeights.length} of ${lostWeights.length + slowWeights.length} weights`;
  const rest = slowWeights.length > 0 ? ' details.slowWeights has those of the others.' : '';
  return new SlowlaneError(
    cause.code,
    `The slow weights of ${those} ('${lostWeights.slice(0, 3).join("', '")}'${lostWeights.length > 3 ? ', …' : ''}) were on the device or on their way when it failed, and are gone.${rest} Start the engine again, make the model again, and load the last saved state into a new optimizer.`,
    { lostWeights, slowWeights },
    { cause },
  );
}
