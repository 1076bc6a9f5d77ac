// A plan in sentences. The command line puts its tables in between.

import type { Plan } from './make-plan.js';
import { formatBytes } from '../checks/bytes.js';
import type { DeviceBytes } from './policy-bytes.js';
import type { Shortfall } from './choice.js';
import type { Policy } from './policies.js';
import { formatCount } from './weights.js';

/** What was asked for, what the plan picks and what that takes, or what is missing, and what was taken for granted. */
export function describePlan(plan: Plan): string {
  return [headOf(plan), ...verdictOf(plan), ...notesOf(plan)].join('\n');
}

/** What was asked for. */
export function headOf(plan: Plan): string {
  const { parameters, inner, syncPeriod, batchSize, accumulate } = plan;
  const { vramBudgetBytes, hostBudgetBytes } = plan;
  return [
    `${formatCount(parameters)} parameters`,
    inner,
    accumulate === 1 ? `batch ${batchSize}` : `${accumulate} micro-batches of ${batchSize}`,
    `a sync every ${syncPeriod} steps`,
    `VRAM budget ${formatBytes(vramBudgetBytes)}`,
    ...(hostBudgetBytes === null ? [] : [`host budget ${formatBytes(hostBudgetBytes)}`]),
  ].join(', ');
}

/** What the plan picks, or what is missing. */
export function verdictOf(plan: Plan): string[] {
  const { pick, shortfall } = plan;
  if (pick !== null) {
    const { count, bytes } = pick.chunks;
    return [
      `→ ${codeOf(plan, pick.policy)}`,
      `  on the device: ${partsOf(pick.device)}`,
      `  on the host: ${formatBytes(pick.hostBytes)}; over the bus: ${formatBytes(pick.bus.meanBytesPerStep)} a step`,
      ...(count === 0
        ? []
        : [`  slow weights cross the bus in pieces of ${formatBytes(bytes)}: ${count} of them`]),
    ];
  }
  if (shortfall === null) return [];
  return [
    `Nothing fits. ${closest(shortfall)}`,
    'Each of these would be enough by itself:',
    ...shortfall.remedies.map(({ text }) => `  - ${text}`),
  ];
}

/** What is missing, in one line; empty if nothing is. */
export function describeShortfall({ shortfall, vramBudgetBytes }: Plan): string {
  if (shortfall === null) return '';
  return (
    `Nothing fits into the VRAM budget of ${formatBytes(vramBudgetBytes)}. ${closest(shortfall)} ` +
    `Each of these would be enough by itself: ${shortfall.remedies.map(({ text }) => text).join('; ')}.`
  );
}

function closest(shortfall: Shortfall): string {
  const { gradients, moments, slow } = shortfall.policy;
  const missing = [
    ...(shortfall.deviceBytes > 0 ? [`${formatBytes(shortfall.deviceBytes)} of VRAM`] : []),
    ...(shortfall.hostBytes > 0 ? [`${formatBytes(shortfall.hostBytes)} on the host`] : []),
  ];
  return (
    `Gradients ${gradients}, moments ${moments} and slow ${slow} come closest; ` +
    `${missing.join(' and ')} are missing.`
  );
}

/** The call that makes it so. */
function codeOf(
  { inner, accumulate }: Pick<Plan, 'inner' | 'accumulate'>,
  { gradients, moments, slow }: Policy,
): string {
  const options = [
    ...(gradients === 'keep' ? [] : [`gradients: '${gradients}'`]),
    ...(moments === 'device:f32' ? [] : [`moments: '${moments}'`]),
    ...(accumulate === 1 ? [] : [`accumulate: ${accumulate}`]),
  ];
  const innerOptions = options.length === 0 ? '' : `{ ${options.join(', ')} }`;
  return `lookahead(${inner}(${innerOptions}), { slow: '${slow}' })`;
}

/** What was taken for granted. */
export function notesOf(plan: Plan): string[] {
  const time = 'ms/step is time on the bus alone, as if none of it were hidden behind the steps';
  const notes = [...plan.assumptions, ...(plan.busBytesPerSecond === null ? [] : [time])];
  return notes.length === 0
    ? []
    : ['', 'Taken for granted:', ...notes.map((note) => `  - ${note}`)];
}

function partsOf(device: DeviceBytes): string {
  return Object.entries(device)
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${formatBytes(bytes)}`)
    .join(', ');
}
