// One policy, in a process of its own: warm-up, then steps waited for one by one.

import { makeWorkload } from '../../../measure/workloads/make-workload.js';
import { Meters, peakBytesOf } from '../../../measure/meters/meters.js';
import { openDevice } from '../../../measure/devices/open-device.js';
import type { Phase, SyncCost } from '../../../measure/record-parts.js';
import { policyNamed } from '../../../measure/workloads/policies.js';
import { readLoss } from '../../../measure/workloads/steppers.js';
import { costOfSync } from '../../../measure/times/timed-syncs.js';
import { timeSteps } from '../../../measure/times/timed-steps.js';
import { startPolicy } from '../../../measure/workloads/train-policy.js';
import type { SpeedOptions, SpeedTimes } from './record.js';

/** The first fills pools and compiles pipelines; in the second all is as it stays. */
const WARM_UP_CYCLES = 2;

export interface SpeedRequest extends SpeedOptions {
  readonly policy: string;
}

/** Memory is counted, which takes next to no time; nothing is read from the device while times are taken. */
export async function timePolicy(
  request: SpeedRequest,
  enter: (phase: Phase) => void,
): Promise<SpeedTimes> {
  const { syncPeriod } = request;
  const policy = policyNamed(request.policy);
  const meters = new Meters();
  const device = await openDevice(request, policy, meters);
  const workload = await makeWorkload(device, request);
  enter('warm-up');
  const stepper = await startPolicy(workload, policy, request);
  for (let step = 0; step < WARM_UP_CYCLES * syncPeriod; step++) {
    await readLoss(await stepper.step(true));
    await device.finished();
  }
  enter('awaited');
  const syncs: SyncCost[] = [];
  let before = stepper.lookahead?.stats();
  const stepTimesMs = await timeSteps(device, stepper, request, (step) => {
    if (before === undefined || step % syncPeriod !== 0) return;
    const after = stepper.lookahead?.stats() ?? before;
    syncs.push(costOfSync(before, after));
    before = after;
  });
  await readLoss(await stepper.step(true));
  return {
    parameters: workload.parameters,
    stepTimesMs,
    syncs: before === undefined ? null : syncs,
    ...peakBytesOf(device, meters, stepper.lookahead?.stats() ?? null),
  };
}
