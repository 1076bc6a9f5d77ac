// Everything that a GPU has to show, in one go: `slowlane bench memory`, `speed` and `sync`, and with --vram
// `fit`, as processes; then one JSON file with their records and verdicts, and one table.
//   npm run bench:gpu                                               a GPU with 24 GB or more
//   npm run bench:gpu -- --layers 4 --width 128 --steps 10          a try
//   node dist/bench/gpu.js --out gpu.json                           on a machine without npm

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import type { BenchRecord } from '../src/cli/bench/frame.js';
import { readBenchFile } from '../src/cli/bench/record.js';
import { msText, NONE, workloadOf } from '../src/cli/bench/sheet.js';
import { headOf } from '../src/cli/bench/text.js';
import { reasonOf } from '../src/cli/terminal/cli-error.js';
import { tableText } from '../src/cli/terminal/table.js';
import type { GpuRecord, Records } from './gpu/record.js';
import { verdictsOf } from './gpu/verdicts.js';

const POLICIES = [
  'tfjs-adam',
  'tfjs-adam-lookahead',
  'keep-adam',
  'release-adam',
  'keep-adam-lookahead',
  'keep+device:f32',
  'release+device:f32',
  'release+device:q8',
  'release+host:q8',
];
/** The same inner optimizer without Lookahead. */
const WITHOUT_LOOKAHEAD: Readonly<Record<string, string>> = {
  'tfjs-adam-lookahead': 'tfjs-adam',
  'keep-adam-lookahead': 'keep-adam',
  'keep+device:f32': 'keep-adam',
  'release+device:f32': 'release-adam',
};
const PLACES = ['host:f32', 'host:f16', 'device:f32', 'variables'];

const text = (value: string) => ({ type: 'string', default: value }) as const;
const { values } = parseArgs({
  options: {
    layers: text('16'),
    width: text('4096'),
    batch: text('64'),
    'sync-period': text('5'),
    steps: text('30'),
    repeats: text('5'),
    'cell-timeout': text('300'),
    out: text('gpu.json'),
    policy: { type: 'string', multiple: true, default: POLICIES },
    slow: { type: 'string', multiple: true, default: PLACES },
    adapter: { type: 'string' },
    vram: { type: 'string' },
    commit: { type: 'string' },
  },
});

const main = fileURLToPath(
  new URL(`../src/cli/main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);
const folder = mkdtempSync(join(tmpdir(), 'slowlane-gpu-'));
const startedAt = new Date().toISOString();
let exitCode = 0;
// Ctrl-C reaches the benchmark too, which writes what it has and ends.
process.on('SIGINT', () => (exitCode = 130));

const stack = options('layers', 'width', 'batch', 'sync-period', 'cell-timeout');
const records: GpuRecord['records'] = {
  memory: await measured('memory', [...stack, ...given('policy', values.policy)]),
  speed: await measured('speed', [
    ...stack,
    ...options('steps', 'repeats'),
    ...given('policy', values.policy),
    ...given('slow', ['host:f16']),
  ]),
  sync: await measured('sync', [
    ...stack,
    ...given('repeats', ['20']),
    ...given('slow', values.slow),
  ]),
  fit:
    values.vram === undefined
      ? null
      : await measured('fit', [
          ...options('vram', 'width', 'batch', 'sync-period'),
          ...given('policy', values.policy.filter(isOfFit)),
        ]),
};
rmSync(folder, { recursive: true });

const verdicts = verdictsOf(records);
const result: GpuRecord = {
  schema: 'slowlane-gpu',
  schemaVersion: 1,
  startedAt,
  endedAt: new Date().toISOString(),
  commit: values.commit ?? records.memory?.machine.commit ?? null,
  verdicts,
  records,
};
writeFileSync(values.out, `${JSON.stringify(result, null, 1)}\n`);
console.log([...tableOf(records), '', `Record  ${values.out}`].join('\n'));
process.exitCode = exitCode;

/** Null where it left no record. */
async function measured<R extends BenchRecord>(
  name: R['bench'],
  args: readonly string[],
): Promise<R | null> {
  if (exitCode === 130) return null;
  const file = join(folder, `${name}.json`);
  process.stderr.write(`slowlane bench ${name}\n`);
  const command = [...process.execArgv, main, 'bench', name, ...args, '--json', file];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(1));
    child.on('close', (code) => resolve(code ?? 1));
  });
  exitCode ||= code;
  try {
    const record = (await readBenchFile(file)) as R;
    return { ...record, command: record.command.slice(0, -2) }; // --json names a temporary file
  } catch (error) {
    process.stderr.write(`bench ${name}: ${reasonOf(error)}\n`);
    exitCode ||= 1;
    return null;
  }
}

/** These of the command line, for a benchmark. */
function options(...names: readonly (keyof typeof values)[]): string[] {
  const adapter = values.adapter === undefined ? [] : ['--adapter', values.adapter];
  return [...names.flatMap((name) => [`--${name}`, String(values[name])]), ...adapter];
}

function given(name: string, all: readonly string[]): string[] {
  return all.flatMap((value) => [`--${name}`, value]);
}

function tableOf({ memory, speed, sync }: Records): string[] {
  const any = memory ?? speed ?? sync;
  const cycleMs = (name = '') =>
    speed?.cells.find(({ policy }) => policy === name)?.cycleMs?.median ?? NaN;
  const rows = values.policy.map((name) => {
    const cell = memory?.cells.find(({ policy }) => policy === name);
    const timed = speed?.cells.find(({ policy }) => policy === name);
    const bytes = [cell?.driver.peakBytes, cell?.allocatorBytes, cell?.hostBytes];
    const cost = cycleMs(name) / cycleMs(WITHOUT_LOOKAHEAD[name]) - 1;
    return [
      name,
      ...bytes.map((one) => fixed((one ?? NaN) / (cell?.parameters ?? NaN))),
      ...[timed?.cycleMs, timed?.stepMs, timed?.syncStepMs].map((spread) => msText(spread?.median)),
      fixed(100 * cost, ' %'),
    ];
  });
  const head = ['policy', 'driver', 'alloc.', 'host', 'mean', 'step', 'sync step', 'Lookahead'];
  return [
    ...(any === null ? [] : [...headOf(any), `${workloadOf(any)}.`]),
    ...tableText(head, rows, Infinity),
    'driver, alloc., host: bytes per parameter at the peak. mean: ms a step over whole cycles, the median of the repeats;',
    'step, sync step: ms of steps without and with a sync. Lookahead: what it adds to the mean of the same optimizer.',
    ...(sync?.cells ?? []).map(
      ({ slow, doneMs, shareOfBus }) =>
        `sync, ${slow}: ${msText(doneMs?.median)} ms, share of the bus ${fixed(100 * (shareOfBus ?? NaN), ' %')}`,
    ),
    ...verdictsOf({ memory, speed, sync }).map(
      ({ question, answer, numbers }) => `${answer.padEnd(8)}${question}: ${numbers}`,
    ),
  ];
}

/** Baselines of our own are of the other benchmarks. */
function isOfFit(policy: string): boolean {
  return policy.includes('+') || policy.startsWith('tfjs');
}

function fixed(value: number, unit = ''): string {
  return Number.isNaN(value) ? NONE : `${value.toFixed(2)}${unit}`;
}
