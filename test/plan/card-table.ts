// The tables of docs/planning.md: the largest model that common cards train, for each policy; and what slow
// weights take on the host and over the bus.

import { BUS_BYTES_PER_SECOND } from '#src/plan/bus.js';
import { policyBytes } from '#src/plan/policy-bytes.js';
import { largestModel } from '#src/plan/largest.js';
import { formatBytes } from '#src/checks/quantities.js';
import { shortCount } from '#src/checks/quantities.js';
import { INNER_NAMES, type InnerName } from '#src/optimizers/rules/names.js';
import { ruleOf } from '#src/plan/step-bytes.js';
import { availablePolicies, type Policy } from '#src/plan/policies.js';
import { equalWeights } from '#src/plan/weights.js';
import { SLOW_FORMATS } from '#src/slow/slow-format.js';
import { markdownTable } from '../marked-table.js';

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const CARDS_GIB = [4, 6, 8, 12, 16, 24];
/** For the desktop, the driver and other programs. */
const RESERVED_SHARE = 0.1;
/** Of the benchmark's stack (4,096 wide, batch 64), rounded up. */
const ACTIVATION_BYTES = 128 * MIB;
const LAYERS = 16;

/** As Markdown; one row for each inner rule and policy. */
export function cardTable(): string {
  const rows = INNER_NAMES.filter(isFirstOfItsSlots).flatMap((inner) =>
    // Where slow weights are on the host makes no difference to the device.
    availablePolicies({ slow: 'host:f32' })
      .filter(({ moments }) => ruleOf(inner).slots > 0 || moments === 'device:f32')
      .map((policy) => [
        namesOf(inner),
        ruleOf(inner).slots === 0 ? '–' : policy.moments,
        policy.gradients,
        ...CARDS_GIB.map((gib) => shortCount(largestOn(gib, inner, policy))),
      ]),
  );
  const head = ['inner rule', 'moments', 'gradients', ...CARDS_GIB.map((gib) => `${gib} GiB`)];
  return markdownTable([head, ...rows]);
}

const SYNC_PERIOD = 5;
const BUSES = ['pcie3x8', 'pcie3x16', 'pcie4x16', 'pcie5x16'] as const;

/** Of 100 M parameters. */
export function slowTable(): string {
  const rows = SLOW_FORMATS.map((slow) => {
    const { hostBytes, bus } = policyBytes(
      { gradients: 'keep', moments: 'device:f32', slow },
      {
        weights: equalWeights(100e6, LAYERS),
        layers: null,
        givenActivationBytes: 0,
        batchSize: 1,
        rule: ruleOf('adam'),
        accumulate: 1,
        syncPeriod: SYNC_PERIOD,
        chunkBytes: 4 * MIB,
      },
    );
    const msOn = (name: (typeof BUSES)[number]) =>
      `${((1000 * bus.meanBytesPerStep) / BUS_BYTES_PER_SECOND[name]).toFixed(1)} ms`;
    const sizes = [hostBytes, bus.bytesPerSync, bus.meanBytesPerStep].map(formatBytes);
    return [slow, ...sizes, ...BUSES.map(msOn)];
  });
  return markdownTable([['slow', 'host', 'bus, a sync', 'a step', ...BUSES], ...rows]);
}

function largestOn(gib: number, inner: InnerName, policy: Policy): number {
  const training = { rule: ruleOf(inner), accumulate: 1, chunkBytes: 4 * MIB };
  const deviceBytes = Math.floor(gib * GIB * (1 - RESERVED_SHARE));
  return largestModel(
    policy,
    training,
    { deviceBytes, hostBytes: Infinity },
    { activationBytes: ACTIVATION_BYTES, layers: LAYERS },
  );
}

function namesOf(inner: InnerName): string {
  return INNER_NAMES.filter((other) => ruleOf(other).slots === ruleOf(inner).slots).join(', ');
}

function isFirstOfItsSlots(inner: InnerName): boolean {
  return INNER_NAMES.find((other) => ruleOf(other).slots === ruleOf(inner).slots) === inner;
}
