// A plan as text for the terminal, with two tables. The first varies gradients and moments and keeps the picked slow
// weights. The second varies slow weights and keeps the picked gradients and moments. If nothing fits, both start
// from the policy that lacks least.

import { formatBytes, shortCount } from '../../checks/quantities.js';
import { headOf, notesOf, verdictOf } from '../../plan/describe.js';
import type { Plan, PlannedPolicy } from '../../plan/make-plan.js';
import type { Policy } from '../../plan/policies.js';
import { tableText, wrapped } from '../terminal/table.js';

/** Names and values of the columns. */
type Cells = readonly (readonly [name: string, value: string])[];

/** At most as wide as `columns`, where the words allow it. */
export function planText(plan: Plan, columns = Infinity): string {
  return [
    wrapped(headOf(plan), columns),
    '',
    ...tableOf(plan, momentsRows(plan), columns, 2),
    ...tableOf(plan, slowRows(plan), columns, 1),
    '',
    ...[...verdictOf(plan), ...notesOf(plan)].map((line) => wrapped(line, columns)),
  ].join('\n');
}

function tableOf(
  plan: Plan,
  rows: readonly (readonly [PlannedPolicy, Cells])[],
  columns: number,
  words: number,
): string[] {
  const head = rows[0]?.[1].map(([name]) => name) ?? [];
  const texts = rows.map(([one, cells]) => [
    one.policy === plan.pick?.policy ? '→' : '',
    ...cells.map(([, value]) => value),
  ]);
  return tableText(['', ...head], texts, columns, 1 + words);
}

function momentsRows(plan: Plan): (readonly [PlannedPolicy, Cells])[] {
  const movesMoments = plan.policies.some(({ bus }) => bus.bytesPerStep > 0);
  return rowsWith(plan, ({ slow }) => slow).map((one) => [
    one,
    [
      ['gradients', one.policy.gradients],
      ['moments', one.policy.moments],
      ['VRAM', formatBytes(one.neededDeviceBytes)],
      ['fits', fitOf(one, plan)],
      ...when(movesMoments, 'bus/step', formatBytes(one.bus.bytesPerStep)),
      ['max model', one.largestModel === 0 ? 'none' : shortCount(one.largestModel)],
      ...when(one.largestBatch !== null, 'max batch', String(one.largestBatch)),
    ],
  ]);
}

function slowRows(plan: Plan): (readonly [PlannedPolicy, Cells])[] {
  return rowsWith(plan, ({ gradients, moments }) => `${gradients} ${moments}`).map((one) => [
    one,
    [
      ['slow', one.policy.slow],
      ['host', formatBytes(one.hostBytes)],
      ['fits', fitOf(one, plan)],
      ['bus/sync', formatBytes(one.bus.bytesPerSync)],
      ['bus/step', formatBytes(one.bus.meanBytesPerStep)],
      ...when(one.extraMsPerStep !== null, 'ms/step', `+${one.extraMsPerStep?.toFixed(1)}`),
    ],
  ]);
}

/** The policies with the same key as the pick, or as the policy that lacks least. */
function rowsWith(plan: Plan, keyOf: (policy: Policy) => string): PlannedPolicy[] {
  const { policies, pick, shortfall } = plan;
  const middle = pick?.policy ?? shortfall?.policy ?? policies[0]?.policy;
  if (middle === undefined) return [];
  return policies.filter(({ policy }) => keyOf(policy) === keyOf(middle));
}

/** `yes`, or how much is missing: on the device, else on the host. */
function fitOf(one: PlannedPolicy, { vramBudgetBytes, hostBudgetBytes }: Plan): string {
  if (one.fits) return 'yes';
  const onDevice = one.neededDeviceBytes - vramBudgetBytes;
  if (onDevice > 0) return `−${formatBytes(onDevice)}`;
  return `host −${formatBytes(one.hostBytes - (hostBudgetBytes ?? Infinity))}`;
}

function when(isShown: boolean, name: string, value: string): [name: string, value: string][] {
  return isShown ? [[name, value]] : [];
}
