// A plan in sentences. The command line puts its tables in between.

import { formatBytes, shortCount } from '../checks/quantities.js';
import type { Plan } from './make-plan.js';
import type { DescribedOverride } from './overrides.js';
import type { Policy } from './policies.js';
import type { DeviceBytes } from './policy-bytes.js';
import type { Shortfall } from './shortfall.js';

/**
 * The request, the pick and what it takes (or what is missing), and the plan's assumptions.
 *
 * @example
 * import { describePlan, plan } from 'slowlane';
 *
 * console.log(describePlan(plan({ weights: '1M', vramBudget: '64MiB' })));
 */
export function describePlan(plan: Plan): string {
  return [headOf(plan), ...verdictOf(plan), ...notesOf(plan)].join('\n');
}

/** The request. */
export function headOf(plan: Plan): string {
  const { parameters, inner, syncPeriod, batchSize, accumulate } = plan;
  const { vramBudgetBytes, hostBudgetBytes } = plan;
  return [
    `${shortCount(parameters)} parameters`,
    inner,
    accumulate === 1 ? `batch ${batchSize}` : `${accumulate} micro-batches of ${batchSize}`,
    `a sync every ${syncPeriod} steps`,
    `VRAM budget ${formatBytes(vramBudgetBytes)}`,
    ...(hostBudgetBytes === null ? [] : [`host budget ${formatBytes(hostBudgetBytes)}`]),
  ].join(', ');
}

/** The pick, or what is missing. */
export function verdictOf(plan: Plan): string[] {
  const { pick, shortfall, overrides } = plan;
  if (pick !== null) {
    const { count, bytes } = pick.chunks;
    return [
      `→ ${codeOf(plan, pick.policy)}`,
      ...overrides.map(
        (one) => `  override ${one.weights} (${weightsText(one.count)}): ${settingsOf(one)}`,
      ),
      `  on the device: ${partsOf(pick.device)}`,
      `  on the host: ${formatBytes(pick.hostBytes)}; over the bus: ${formatBytes(pick.bus.meanBytesPerStep)} a step`,
      ...(count === 0
        ? []
        : [
            `  slow weights cross the bus in ${count} ${count === 1 ? 'piece' : 'pieces'} of at most ${formatBytes(bytes)}`,
          ]),
    ];
  }
  if (shortfall === null) return [];
  return [
    `Nothing fits. ${closest(shortfall)}`,
    'Any one of these changes is enough:',
    ...shortfall.remedies.map(({ text }) => `  - ${text}`),
  ];
}

/** What is missing, in one line. Empty if something fits. */
export function describeShortfall({ shortfall, vramBudgetBytes }: Plan): string {
  if (shortfall === null) return '';
  return (
    `Nothing fits into the VRAM budget of ${formatBytes(vramBudgetBytes)}. ${closest(shortfall)} ` +
    `Any one of these changes is enough: ${shortfall.remedies.map(({ text }) => text).join('; ')}.`
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

/** The call that trains with the pick. */
function codeOf(
  { inner, accumulate, overrides }: Plan,
  { gradients, moments, slow }: Policy,
): string {
  const list = (entries: readonly (string | null)[]) =>
    entries.length === 0 ? [] : [`overrides: [${entries.join(', ')}]`];
  const entry = ({ weights }: DescribedOverride, values: string) =>
    `{ weights: ${weights}, ${values} }`;
  const ofInner = overrides.filter((one) => one.moments !== undefined);
  const innerOptions = [
    ...(gradients === 'keep' ? [] : [`gradients: '${gradients}'`]),
    ...(moments === 'device:f32' ? [] : [`moments: '${moments}'`]),
    ...(accumulate === 1 ? [] : [`accumulate: ${accumulate}`]),
    ...list(ofInner.map((one) => entry(one, `moments: '${one.moments}'`))),
  ];
  const ofLookahead = overrides.map((one) => ({ one, values: lookaheadValues(one) }));
  const lookaheadOptions = [
    `slow: '${slow}'`,
    ...list(
      ofLookahead
        .filter(({ values }) => values !== '')
        .map(({ one, values }) => entry(one, values)),
    ),
  ];
  const innerText = innerOptions.length === 0 ? '' : `{ ${innerOptions.join(', ')} }`;
  return `lookahead(${inner}(${innerText}), { ${lookaheadOptions.join(', ')} })`;
}

function lookaheadValues({ slow, slowStepSize, exclude }: DescribedOverride): string {
  return [
    ...(slow === undefined ? [] : [`slow: '${slow}'`]),
    ...(slowStepSize === undefined ? [] : [`slowStepSize: ${slowStepSize}`]),
    ...(exclude === undefined ? [] : [`exclude: ${exclude}`]),
  ].join(', ');
}

function settingsOf(one: DescribedOverride): string {
  const moments = one.moments === undefined ? [] : [`moments: '${one.moments}'`];
  return [lookaheadValues(one), ...moments].filter((text) => text !== '').join(', ');
}

function weightsText(count: number): string {
  return count === 1 ? '1 weight' : `${count} weights`;
}

/** The assumptions. */
export function notesOf(plan: Plan): string[] {
  const time = 'ms/step is the time on the bus if none of it were hidden behind the steps';
  const notes = [...plan.assumptions, ...(plan.busBytesPerSecond === null ? [] : [time])];
  return notes.length === 0 ? [] : ['', 'Assumed:', ...notes.map((note) => `  - ${note}`)];
}

function partsOf(device: DeviceBytes): string {
  return Object.entries(device)
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${formatBytes(bytes)}`)
    .join(', ');
}
