// A plan as text for the terminal. Two tables, because the device sees only whether slow weights are on it: what
// is kept there, and in which precision slow weights wait on the host. Every row of one goes with every row of
// the other.

import Table from 'cli-table3';
import type { Plan, PlannedPolicy } from '../plan.js';
import { formatBytes } from '../policy/bytes.js';
import type { DeviceBytes } from '../policy/plan-bytes.js';
import { type Policy, slowPlace } from '../policy/plan-policies.js';
import { formatCount } from '../policy/plan-weights.js';
import { wrapped } from './wrapped.js';

/** Names and values of the columns, and whether the plan picks it. */
interface Row {
  readonly cells: readonly (readonly [name: string, value: string])[];
  readonly isPicked: boolean;
}

/** As wide as `columns` at most, where the words allow it. */
export function planText(plan: Plan, columns = Infinity): string {
  return [
    wrapped(headOf(plan), columns),
    '',
    rowsText(deviceRows(plan), columns),
    rowsText(hostRows(plan), columns),
    '',
    ...[...verdictOf(plan), ...notesOf(plan)].map((line) => wrapped(line, columns)),
  ].join('\n');
}

function headOf(plan: Plan): string {
  const { parameters, inner, syncPeriod, batchSize, vramBudgetBytes, hostBudgetBytes } = plan;
  return [
    `${formatCount(parameters)} parameters`,
    inner,
    `batch ${batchSize}`,
    `a sync every ${syncPeriod} steps`,
    `VRAM budget ${formatBytes(vramBudgetBytes)}`,
    ...(hostBudgetBytes === null ? [] : [`host budget ${formatBytes(hostBudgetBytes)}`]),
  ].join(', ');
}

/** What is on the device; one row for all formats of slow weights on the host. */
function deviceRows(plan: Plan): Row[] {
  const keyOf = ({ gradients, moments, slow }: Policy) =>
    [gradients, moments, slowPlace(slow)].join();
  const isSlowOnDevice = plan.policies.some(({ policy }) => slowPlace(policy.slow) === 'device');
  const movesMoments = plan.policies.some(({ bus }) => bus.bytesPerStep > 0);
  return representatives(plan, keyOf).map(({ one, same, isPicked }) => {
    const largest = Math.max(...same.map(({ largestModel }) => largestModel));
    const missing = one.neededDeviceBytes - plan.vramBudgetBytes;
    return {
      isPicked,
      cells: [
        ['gradients', one.policy.gradients],
        ['moments', one.policy.moments],
        ...when(isSlowOnDevice, 'slow on', slowPlace(one.policy.slow)),
        ['VRAM', formatBytes(one.neededDeviceBytes)],
        ['fits', missing > 0 ? `−${formatBytes(missing)}` : 'yes'],
        ...when(movesMoments, 'bus/step', formatBytes(one.bus.bytesPerStep)),
        ['largest model', largest === 0 ? 'none' : formatCount(largest)],
        ...when(one.largestBatch !== null, 'largest batch', String(one.largestBatch)),
      ],
    };
  });
}

/** Slow weights. */
function hostRows(plan: Plan): Row[] {
  return representatives(plan, ({ slow }) => slow).map(({ one, isPicked }) => {
    const missing = one.hostBytes - (plan.hostBudgetBytes ?? Infinity);
    return {
      isPicked,
      cells: [
        ['slow', one.policy.slow],
        ['host', formatBytes(one.hostBytes)],
        ...when(
          plan.hostBudgetBytes !== null,
          'fits',
          missing > 0 ? `−${formatBytes(missing)}` : 'yes',
        ),
        ['bus/sync', formatBytes(one.bus.bytesPerSync)],
        ['bus/step', formatBytes(one.bus.meanBytesPerStep)],
        ...when(one.extraMsPerStep !== null, 'ms/step', `+${one.extraMsPerStep?.toFixed(1)}`),
      ],
    };
  });
}

/** One policy for each key: the picked one where it has that key, else the first. */
function representatives(
  { policies, pick }: Plan,
  keyOf: (policy: Policy) => string,
): { readonly one: PlannedPolicy; readonly same: PlannedPolicy[]; readonly isPicked: boolean }[] {
  const keys = [...new Set(policies.map(({ policy }) => keyOf(policy)))];
  return keys.flatMap((key) => {
    const same = policies.filter(({ policy }) => keyOf(policy) === key);
    const picked = same.find(({ policy }) => policy === pick?.policy);
    const one = picked ?? same[0];
    return one === undefined ? [] : [{ one, same, isPicked: picked !== undefined }];
  });
}

function when(isShown: boolean, name: string, value: string): [name: string, value: string][] {
  return isShown ? [[name, value]] : [];
}

/** A table, or lines where a terminal has too few `columns` for it. */
function rowsText(rows: readonly Row[], columns: number): string {
  const table = rowsTable(rows);
  if (table.indexOf('\n') <= columns) return table;
  return rows
    .flatMap(({ isPicked, cells: [name, ...others] }) => [
      `${isPicked ? '→' : ' '} ${name?.join(' ')}`,
      ...others.map((cell) => `      ${cell.join(' ')}`),
    ])
    .join('\n');
}

/** Words on the left, quantities on the right. */
const WORDS = ['gradients', 'moments', 'slow', 'slow on'];

function rowsTable(rows: readonly Row[]): string {
  const names = rows[0]?.cells.map(([name]) => name) ?? [];
  const table = new Table({
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [] }, // no colours: the text may go to a file
    colAligns: ['left', ...names.map((name) => (WORDS.includes(name) ? 'left' : 'right'))],
  });
  table.push(['', ...names]);
  for (const { isPicked, cells } of rows) {
    table.push([isPicked ? '→' : '', ...cells.map(([, value]) => value)]);
  }
  return table.toString();
}

function verdictOf(plan: Plan): string[] {
  const { pick, shortfall } = plan;
  if (pick !== null) {
    const { count, bytes } = pick.chunks;
    return [
      `→ ${codeOf(plan.inner, pick.policy)}`,
      `  on the device: ${partsOf(pick.device)}`,
      ...(count === 0
        ? []
        : [`  slow weights pass through it in pieces of ${formatBytes(bytes)}: ${count} of them`]),
    ];
  }
  if (shortfall === null) return [];
  const { gradients, moments, slow } = shortfall.policy;
  const missing = [
    ...(shortfall.deviceBytes > 0 ? [`${formatBytes(shortfall.deviceBytes)} of VRAM`] : []),
    ...(shortfall.hostBytes > 0 ? [`${formatBytes(shortfall.hostBytes)} on the host`] : []),
  ];
  return [
    `Nothing fits. Gradients ${gradients}, moments ${moments} and slow ${slow} come closest; ` +
      `${missing.join(' and ')} are missing.`,
    'Each of these would be enough by itself:',
    ...shortfall.remedies.map(({ text }) => `  - ${text}`),
  ];
}

/** The call that makes it so. */
function codeOf(inner: string, { gradients, moments, slow }: Policy): string {
  const options = [
    ...(gradients === 'keep' ? [] : [`gradients: '${gradients}'`]),
    ...(moments === 'device:f32' ? [] : [`moments: '${moments}'`]),
  ];
  const innerOptions = options.length === 0 ? '' : `{ ${options.join(', ')} }`;
  return `lookahead(${inner}(${innerOptions}), { slow: '${slow}' })`;
}

function notesOf(plan: Plan): string[] {
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
