// `slowlane doctor`: starts the probes, makes a report of their results, and prints it. Each probe runs in its own
// process, because drivers, native code and reads of files may crash or hang.

import { fileURLToPath } from 'node:url';

import { type Runtime, thisRuntime } from '../../checks/runtime.js';
import { runCell } from '../../measure/process/run-cell.js';
import type { ModelName } from '../../models/names.js';
import { EXIT } from '../terminal/cli-error.js';
import { Interrupted, listenForInterrupt } from '../terminal/interrupt.js';
import { doctorText } from './doctor-text.js';
import { findingsOf } from './findings.js';
import { mergedGpus } from './gpus.js';
import type { Probes } from './probe-main.js';
import {
  DOCTOR_SCHEMA,
  DOCTOR_SCHEMA_VERSION,
  type DoctorReport,
  type EngineReport,
} from './report.js';
import { print, say } from '../terminal/print.js';

export interface DoctorRequest {
  readonly json: boolean;
  /** Seconds for one probe. */
  readonly timeout: number;
}

/** Resolves to the exit code. */
export async function doctor({ json, timeout }: DoctorRequest, version: string): Promise<number> {
  const interrupt = listenForInterrupt();
  try {
    if (process.stderr.isTTY) say('Trying engines and copies, some seconds …');
    const report = await examine({
      probe: probeStarter(1000 * timeout, interrupt.signal),
      slowlane: version,
      runtime: thisRuntime(),
      system: `${process.platform} ${process.arch}`,
    });
    print(json ? JSON.stringify(report, null, 2) : doctorText(report, process.stdout.columns));
    return report.trains ? 0 : EXIT.failed;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    say(`slowlane: ${error.message}`);
    return error.exitCode;
  } finally {
    interrupt.release();
  }
}

/** null: the probe takes no request. */
export type ProbeRequests = {
  readonly [Name in keyof Probes]: Parameters<Probes[Name]> extends [infer Request]
    ? Request
    : null;
};
export type ProbeResults = { readonly [Name in keyof Probes]: Awaited<ReturnType<Probes[Name]>> };

/** The result of a probe, or why it failed, and what it printed. */
export interface ProbeEnd<R> {
  readonly result: R | null;
  readonly failed: string | null;
  readonly output: string;
}

export type StartProbe = <Name extends keyof ProbeRequests>(
  name: Name,
  request: ProbeRequests[Name],
) => Promise<ProbeEnd<ProbeResults[Name]>>;

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const file = fileURLToPath(new URL(`./probe-main${extension}`, import.meta.url));
const OUTPUT_CHARACTERS = 20_000;

export function probeStarter(timeoutMs: number, signal: AbortSignal): StartProbe {
  return async (name, request) => {
    let output = '';
    const onOutput = (text: string) => {
      output = (output + text).slice(0, OUTPUT_CHARACTERS);
    };
    const { result, failure } = await runCell<ProbeResults[typeof name]>(
      { file, args: [name, JSON.stringify(request)] },
      { timeoutMs, signal, onOutput },
    );
    signal.throwIfAborted();
    if (failure === null) return { result, failed: null, output };
    const { kind, reason } = failure;
    return { result, failed: kind === 'error' ? reason : `${kind}: ${reason}`, output };
  };
}

const ENGINES = ['webgpu', 'tensorflow', 'wasm', 'cpu'] as const;
/** `auto` may pick another engine for models with convolutions. */
const MODELS = { plain: 'mlp', convolutional: 'cnn' } as const satisfies Record<string, ModelName>;

export interface Doctor {
  readonly probe: StartProbe;
  readonly slowlane: string;
  readonly runtime: Runtime;
  readonly system: string;
}

export async function examine({ probe, slowlane, runtime, system }: Doctor): Promise<DoctorReport> {
  const failures: { probe: string; reason: string }[] = [];
  const ask = async <Name extends keyof ProbeRequests>(
    name: Name,
    request: ProbeRequests[Name],
  ): Promise<ProbeEnd<ProbeResults[Name]>> => {
    const end = await probe(name, request);
    if (end.failed !== null) failures.push({ probe: name, reason: end.failed });
    return end;
  };
  const [host, packages, nvidia, onBus, vulkan, tensorflow] = await Promise.all([
    ask('host', null),
    ask('packages', null),
    ask('nvidia-smi', null),
    ask('PCI devices', null),
    ask('Vulkan drivers', null),
    ask('tfjs-node', null),
  ]);
  const { result: adapters, output } = await ask('adapters', null);
  const noTensorflow = tensorflow.result?.every(({ version }) => version === null) ?? false;
  const engines = await Promise.all(
    ENGINES.map(async (name) =>
      name === 'tensorflow' && noTensorflow ? NO_TENSORFLOW : tryEngine(probe, name),
    ),
  );
  const [engine, forConvolutions] = await Promise.all([
    pickFor(probe, MODELS.plain),
    pickFor(probe, MODELS.convolutional),
  ]);
  // Last, so that nothing else runs meanwhile.
  const ofHost = await ask('host speeds', null);
  const ofDevice = adapters?.length ? await ask('device speeds', null) : null;
  const wait = adapters?.length ? await ask('GPU wait', null) : null;
  const hasGpu = adapters?.some(({ software }) => !software) ?? false;
  const uploads = hasGpu ? await ask('upload memory', null) : null;
  const report: DoctorReport = {
    schema: DOCTOR_SCHEMA,
    schemaVersion: DOCTOR_SCHEMA_VERSION,
    trains: engines.some(({ works }) => works),
    pick: { engine, forConvolutions },
    findings: [],
    slowlane,
    runtime: `${runtime.name} ${runtime.version}`,
    system,
    host: host.result,
    packages: packages.result,
    engines,
    adapters,
    adapterMessages: messagesIn(output),
    vulkan: vulkan.result,
    gpus: mergedGpus(nvidia.result, onBus.result),
    tensorflow: tensorflow.result,
    speeds: [...(ofHost.result ?? []), ...(ofDevice?.result ?? [])],
    gpuWaitMs: wait?.result ?? null,
    uploadMemory: uploads?.result ?? null,
    failures,
  };
  return { ...report, findings: findingsOf(report) };
}

const NO_TENSORFLOW: EngineReport = {
  name: 'tensorflow',
  works: false,
  startedAs: null,
  reason: "neither tfjs-node-gpu nor tfjs-node is installed; it's optional",
  remedy: null,
};

async function tryEngine(probe: StartProbe, name: (typeof ENGINES)[number]): Promise<EngineReport> {
  const { result, failed } = await probe('engine', { engine: name, model: MODELS.plain });
  const reason = failed ?? result?.reason ?? null;
  return {
    name,
    works: reason === null,
    startedAs: result?.startedAs ?? null,
    reason,
    remedy: result?.remedy ?? null,
  };
}

async function pickFor(probe: StartProbe, model: ModelName): Promise<string | null> {
  const { result } = await probe('engine', { engine: 'auto', model });
  return result === null || result.reason !== null ? null : result.startedAs;
}

/** Each line once, without the source positions that Dawn adds. */
function messagesIn(output: string): string[] {
  const lines = output
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
    .map((line) => line.replace(/^(Warning: |\[Vulkan Loader\] [^:]*:\s*)/, '').trim());
  return [...new Set(lines)];
}
