// The report as text for the terminal. The verdict comes last, where a reader sees it first.

import { formatBytes, significant } from '../../checks/quantities.js';
import { tableText, wrapped } from '../terminal/table.js';
import type { AdapterReport, DoctorReport, Finding, TensorflowReport } from './report.js';

const SIGNS: Readonly<Record<Finding['level'], string>> = { error: '✗', warning: '!', note: '·' };
type Line = string | readonly [name: string, value: string];

/** The width where the output is not a terminal. */
const USUAL_COLUMNS = 80;

/** As wide as `columns` at most, where the words allow it. */
export function doctorText(report: DoctorReport, columns = USUAL_COLUMNS): string {
  const sections: readonly (readonly [title: string, lines: readonly Line[]])[] = [
    [`slowlane ${report.slowlane}, ${report.runtime}, ${report.system}`, hostLines(report)],
    ['Packages', packageLines(report)],
    ['Engines, each tried with two steps', engineLines(report)],
    ['WebGPU adapters', adapterLines(report)],
    ['Memory of GPUs', gpuLines(report)],
    ['TensorFlow', tensorflowLines(report)],
    ['Copies', speedLines(report, columns)],
    ['Verdict', verdictLines(report)],
  ];
  return sections
    .map(([title, lines]) => [title, ...lines.map((line) => fitted(line, columns))].join('\n'))
    .join('\n\n');
}

/** A name and its value, or a line, or a table that is as wide as it has to be. */
function fitted(line: Line, columns: number): string {
  if (typeof line === 'string') return line.includes('\n') ? line : wrapped(line, columns);
  const [name, value] = line;
  const indent = ' '.repeat(name.length);
  const text = wrapped(value, columns - name.length);
  return name + text.split('\n').join(`\n${indent}`);
}

function hostLines({ host }: DoctorReport): string[] {
  if (host === null) return ['  unknown'];
  const { cpu, cores, ramBytes, availableBytes } = host;
  return [
    `  ${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}`,
    `  memory ${formatBytes(ramBytes)}, available ${formatBytes(availableBytes)}`,
  ];
}

function packageLines({ packages }: DoctorReport): Line[] {
  if (packages === null) return ['  unknown'];
  return aligned(packages.map(({ name, version }) => [name, version ?? 'not installed']));
}

function engineLines({ engines }: DoctorReport): Line[] {
  return aligned(
    engines.map(({ name, works, startedAs, reason }) => [
      name,
      works
        ? `trains${startedAs === name ? '' : ` as ${startedAs}`}`
        : `no: ${firstSentence(reason)}`,
    ]),
  );
}

/** The rest is a remedy, which the verdict repeats. */
function firstSentence(text: string | null): string {
  return (text ?? 'unknown').split(/(?<=\.) /, 1)[0] ?? '';
}

function adapterLines({ adapters, adapterMessages }: DoctorReport): string[] {
  const lines =
    adapters === null
      ? ['  unknown: could not be asked']
      : adapters.length === 0
        ? ['  none']
        : adapters.flatMap(linesOfAdapter);
  const said = adapters !== null && adapters.length > 0 ? [] : adapterMessages.slice(0, 4);
  return [...lines, ...said.map((line) => `  - ${line}`)];
}

function linesOfAdapter({ name, software, driver, limits }: AdapterReport): string[] {
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize } = limits;
  return [
    `  ${name}${software ? ' – SOFTWARE, computes on the CPU' : ''}`,
    `    driver ${driver === '' ? 'unknown' : driver}`,
    `    a buffer up to ${formatBytes(maxBufferSize)}, a binding up to ` +
      `${formatBytes(maxStorageBufferBindingSize)}, ` +
      `${formatBytes(maxComputeWorkgroupStorageSize)} and ` +
      `${limits.maxComputeInvocationsPerWorkgroup} invocations a workgroup`,
  ];
}

function gpuLines({ gpus, adapters }: DoctorReport): string[] {
  if (gpus === null) return ['  unknown: neither nvidia-smi nor the system reports GPUs'];
  if (gpus.length === 0) {
    const hasHardware = adapters?.some(({ software }) => !software) ?? false;
    return [hasHardware ? '  unknown: WebGPU does not report it' : '  no GPU known to the system'];
  }
  return gpus.map(({ name, driver, totalBytes, freeBytes }) =>
    [
      `  ${name}`,
      driver === null ? 'driver unknown or none' : `driver ${driver}`,
      totalBytes === null ? 'memory unknown' : `memory ${formatBytes(totalBytes)}`,
      ...(freeBytes === null ? [] : [`free ${formatBytes(freeBytes)}`]),
    ].join(', '),
  );
}

function tensorflowLines({ tensorflow }: DoctorReport): Line[] {
  if (tensorflow === null) return ['  unknown'];
  return aligned(tensorflow.map((one) => [one.name, stateOf(one)]));
}

function stateOf({ version, libtensorflow, libraries, problem }: TensorflowReport): string {
  if (version === null) return 'not installed (optional)';
  const library = libraries.length === 0 ? 'none' : (libtensorflow ?? 'of unknown version');
  return `${version}, libtensorflow ${library}${problem === null ? '' : `; ${problem}`}`;
}

function speedLines(report: DoctorReport, columns: number): string[] {
  const { speeds, gpuWaitMs, uploadMemory } = report;
  const isMarked = speeds.some(({ software }) => software);
  const rows = speeds.map(({ what, gbPerSecond, software, bytes }) => [
    what,
    gbPerSecond === null ? 'unknown' : significant(gbPerSecond),
    formatBytes(bytes),
    ...(isMarked ? [software ? 'software: no GPU in it' : ''] : []),
  ]);
  const head = ['best of a few', 'GB/s', 'at a time', ...(isMarked ? [''] : [])];
  const table = rows.length === 0 ? ['  none measured'] : tableText(head, rows, columns);
  return [
    ...table,
    ...(gpuWaitMs === null ? [] : [`  a wait for the GPU takes ${significant(gpuWaitMs)} ms`]),
    ...(uploadMemory === null
      ? []
      : [
          `  ${formatBytes(uploadMemory.bytes)} of upload buffers took ${formatBytes(uploadMemory.inVramBytes)} of VRAM`,
        ]),
  ];
}

function verdictLines({ trains, pick, findings }: DoctorReport): string[] {
  const { engine, forConvolutions } = pick;
  const slow = forConvolutions === 'cpu' ? ' (slow: tfjs-node is many times as fast there)' : '';
  const others =
    forConvolutions === engine ? '' : `; for convolutions ${forConvolutions ?? 'nothing'}${slow}`;
  const use =
    engine === null
      ? trains
        ? '  Training works, but not with --engine auto.'
        : '  Training is not possible here.'
      : `  Ready to train: --engine auto takes ${engine}${others}.`;
  return [
    use,
    ...findings.flatMap(({ level, what, remedy }) => [
      `  ${SIGNS[level]} ${what}`,
      ...(remedy === null ? [] : [`    → ${remedy}.`]),
    ]),
  ];
}

/** Two columns; the second starts where the longest of the first ends. */
function aligned(rows: readonly (readonly [name: string, value: string])[]): Line[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => [`  ${name.padEnd(width)}  `, value] as const);
}
