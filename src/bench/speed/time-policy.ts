// One policy, in a process of its own: warm-up, then steps waited for one by one.

import type { LookaheadStats } from '../../index.js';
import type { TrainingDevice } from '../devices.js';
import { makeWorkload } from '../make-workload.js';
import { openDevice } from '../open-device.js';
import { policyNamed } from '../policies.js';
import type { Stepper } from '../steppers.js';
import { timeSteps } from '../timed-steps.js';
import { startPolicy } from '../train-policy.js';
import type { SpeedOptions, SpeedTimes, SyncCosts } from './speed-record.js';

/** The first fills pools and compiles pipelines; in the second all is as it stays. */
const WARM_UP_CYCLES = 2;

const NOBODY = { watchBuffers: () => undefined, watchTensors: () => undefined };

export interface SpeedRequest extends Pick<
  SpeedOptions,
  'engine' | 'model' | 'layers' | 'width' | 'batch' | 'steps' | 'repeats' | 'syncPeriod' | 'adapter'
> {
  readonly policy: string;
}

export async function timePolicy(request: SpeedRequest): Promise<SpeedTimes> {
  const policy = policyNamed(request.policy);
  const device = await openDevice(request, policy, NOBODY);
  const workload = await makeWorkload(device, request);
  const stepper = await startPolicy(workload, policy, request);
  for (let step = 0; step < WARM_UP_CYCLES * request.syncPeriod; step++) {
    await checkedStep(device, stepper);
  }
  const before = stepper.stats?.();
  const stepTimesMs = await timeSteps(device, stepper, request);
  const after = stepper.stats?.();
  await checkedStep(device, stepper);
  const sync = before === undefined || after === undefined ? null : costsOf(before, after);
  return { parameters: workload.parameters, stepTimesMs, sync };
}

/** Wrong numbers would be no training. */
async function checkedStep(device: TrainingDevice, stepper: Stepper): Promise<void> {
  const cost = await stepper.step(true);
  const [loss = NaN] = (await cost?.data<'float32'>()) ?? [];
  cost?.dispose();
  await device.finished();
  if (!Number.isFinite(loss)) throw new Error(`The loss is not finite: ${loss}.`);
}

function costsOf(before: LookaheadStats, after: LookaheadStats): SyncCosts {
  const [from, to] = [before.syncMs, after.syncMs];
  return {
    syncs: after.syncs - before.syncs,
    total: to.total - from.total,
    check: to.check - from.check,
    wait: to.wait - from.wait,
    pull: to.pull - from.pull,
    blend: to.blend - from.blend,
    push: to.push - from.push,
    turnAround: to.turnAround - from.turnAround,
    bytesPulled: after.bytesPulled - before.bytesPulled,
    bytesPushed: after.bytesPushed - before.bytesPushed,
  };
}
