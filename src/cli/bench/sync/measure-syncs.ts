// One place of slow weights, in a process of its own: syncs alone, then the bus alone.

import { timeBus } from '../../../measure/times/bus.js';
import { openBare, OurDevice, UNWATCHED } from '../../../measure/devices/devices.js';
import { makeWorkload } from '../../../measure/workloads/make-workload.js';
import { openDevice } from '../../../measure/devices/open-device.js';
import { policyNamed, type SlowPlace } from '../../../measure/workloads/policies.js';
import { timeSyncs } from '../../../measure/times/timed-syncs.js';
import { readLoss } from '../../../measure/workloads/steppers.js';
import { startPolicy } from '../../../measure/workloads/train-policy.js';
import type { BusTimes, SyncMeasured, SyncOptions } from './record.js';

/** The first fills pools and compiles pipelines, and host memory gets its pages; in the second all is as it stays. */
const WARM_UP_SYNCS = 2;
const RELEASING = policyNamed('release-adam');

export interface SyncRequest extends Omit<SyncOptions, 'slow'> {
  readonly slow: SlowPlace;
}

export async function measureSyncs(request: SyncRequest): Promise<SyncMeasured> {
  const { syncPeriod, repeats } = request;
  const device = await openDevice(request, RELEASING, UNWATCHED);
  const workload = await makeWorkload(device, request);
  const pieces = device instanceof OurDevice ? piecesOf(device) : null;
  const { slow } = request;
  const stepper = await startPolicy(
    workload,
    { ...RELEASING, slow: slow === 'variables' ? slow : 'host' },
    { syncPeriod, ...(slow === 'variables' ? {} : { slow }) },
  );
  await device.finished();
  const warmUp = await timeSyncs(device, stepper, { syncs: WARM_UP_SYNCS, syncPeriod });
  const times = await timeSyncs(device, stepper, { syncs: repeats, syncPeriod });
  await readLoss(workload.loss());
  // Before the bus is measured: nothing is to copy beside it, and its pieces are as large as these.
  await stepper.lookahead?.finish();
  if (device instanceof OurDevice) device.engine.stop();
  const bytes = bytesOfSync(times.costs, pieces);
  return {
    parameters: workload.parameters,
    bytes,
    warmUpMs: warmUp.doneMs,
    times,
    bus: bytes === 0 || pieces === null ? null : await measureBus(request, pieces),
  };
}

/** Bytes of each piece of slow weights, as the engine makes them from now on. */
function piecesOf({ engine }: OurDevice): readonly number[] {
  const { hostBuffers } = engine.backend;
  const create = hostBuffers.createPlain.bind(hostBuffers);
  const pieces: number[] = [];
  hostBuffers.createPlain = (size) => {
    pieces.push(size);
    return create(size);
  };
  return pieces;
}

/** The same in each sync; throws where it is not, or the bus would be measured with other bytes. */
function bytesOfSync(
  costs: SyncMeasured['times']['costs'],
  pieces: readonly number[] | null,
): number {
  const [first] = costs ?? [];
  const oneWay = pieces?.reduce((sum, bytes) => sum + bytes, 0) ?? first?.bytesPulled ?? 0;
  for (const { bytesPulled, bytesPushed } of costs ?? []) {
    if (bytesPulled === oneWay && bytesPushed === oneWay) continue;
    throw new Error(
      `A sync moved ${bytesPulled} bytes down and ${bytesPushed} up, but ${oneWay} were expected.`,
    );
  }
  return 2 * oneWay;
}

async function measureBus(
  { adapter, repeats }: SyncRequest,
  pieces: readonly number[],
): Promise<BusTimes> {
  const device = await openBare(adapter ?? undefined, UNWATCHED);
  const { firstMs, ms } = await timeBus(device, pieces, repeats);
  return { pieces: pieces.length, pieceBytes: Math.max(...pieces), firstMs, roundMs: ms };
}
