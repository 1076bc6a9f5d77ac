// A plan as text for the terminal. Two tables that meet in the pick (or in what comes closest): gradients and
// moments with its slow weights, and slow weights with its gradients and moments.

import Table from 'cli-table3';
import { headOf, notesOf, verdictOf } from '../../plan/describe.js';
import type { Plan, PlannedPolicy } from '../../plan/make-plan.js';
import { formatBytes, shortCount } from '../../checks/quantities.js';
import type { Policy } from '../../plan/policies.js';
import { wrapped } from '../terminal/wrapped.js';

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
    rowsText(momentsRows(plan), columns),
    rowsText(slowRows(plan), columns),
    '',
    ...[...verdictOf(plan), ...notesOf(plan)].map((line) => wrapped(line, columns)),
  ].join('\n');
}

/** Where gradients and moments are; largest model and batch with every kind of slow weights. */
function momentsRows(plan: Plan): Row[] {
  const movesMoments = plan.policies.some(({ bus }) => bus.bytesPerStep > 0);
  return rowsWith(plan, ({ slow }) => slow).map((one) => ({
    isPicked: one.policy === plan.pick?.policy,
    cells: [
      ['gradients', one.policy.gradients],
      ['moments', one.policy.moments],
      ['VRAM', formatBytes(one.neededDeviceBytes)],
      ['fits', fitOf(one, plan)],
      ...when(movesMoments, 'bus/step', formatBytes(one.bus.bytesPerStep)),
      ['max model', one.largestModel === 0 ? 'none' : shortCount(one.largestModel)],
      ...when(one.largestBatch !== null, 'max batch', String(one.largestBatch)),
    ],
  }));
}

function slowRows(plan: Plan): Row[] {
  return rowsWith(plan, ({ gradients, moments }) => `${gradients} ${moments}`).map((one) => ({
    isPicked: one.policy === plan.pick?.policy,
    cells: [
      ['slow', one.policy.slow],
      ['host', formatBytes(one.hostBytes)],
      ['fits', fitOf(one, plan)],
      ['bus/sync', formatBytes(one.bus.bytesPerSync)],
      ['bus/step', formatBytes(one.bus.meanBytesPerStep)],
      ...when(one.extraMsPerStep !== null, 'ms/step', `+${one.extraMsPerStep?.toFixed(1)}`),
    ],
  }));
}

/** The policies that have what `keyOf` gives in common with the pick, or with what comes closest. */
function rowsWith(plan: Plan, keyOf: (policy: Policy) => string): PlannedPolicy[] {
  const { policies, pick, shortfall } = plan;
  const middle = pick?.policy ?? shortfall?.policy ?? policies[0]?.policy;
  if (middle === undefined) return [];
  return policies.filter(({ policy }) => keyOf(policy) === keyOf(middle));
}

/** Or how much is missing, on the device first. */
function fitOf(one: PlannedPolicy, { vramBudgetBytes, hostBudgetBytes }: Plan): string {
  if (one.fits) return 'yes';
  const onDevice = one.neededDeviceBytes - vramBudgetBytes;
  if (onDevice > 0) return `−${formatBytes(onDevice)}`;
  return `host −${formatBytes(one.hostBytes - (hostBudgetBytes ?? Infinity))}`;
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
const WORDS = ['gradients', 'moments', 'slow'];

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
