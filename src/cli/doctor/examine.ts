// Asks each probe and makes the report. A probe that fails costs only its own result.

import type { ModelName } from '../../models/names.js';
import { findingsOf } from './findings.js';
import { mergedGpus } from './gpus.js';
import type { ProbeRequests, ProbeResults, StartProbe } from './probes.js';
import { DOCTOR_SCHEMA, DOCTOR_SCHEMA_VERSION } from './report.js';
import type { DoctorReport, EngineReport } from './report.js';

const ENGINES = ['webgpu', 'tensorflow', 'wasm', 'cpu'] as const;
/** `auto` may pick another engine for models with convolutions. */
const MODELS = { plain: 'mlp', convolutional: 'cnn' } as const satisfies Record<string, ModelName>;

export interface Doctor {
  readonly probe: StartProbe;
  readonly slowlane: string;
  readonly node: string;
  readonly system: string;
}

export async function examine({ probe, slowlane, node, system }: Doctor): Promise<DoctorReport> {
  const failures: { probe: string; reason: string }[] = [];
  const ask = async <Name extends keyof ProbeRequests>(
    name: Name,
    request: ProbeRequests[Name],
  ): Promise<ProbeResults[Name] | null> => {
    const { result, failed } = await probe(name, request);
    if (failed !== null) failures.push({ probe: name, reason: failed });
    return result;
  };
  const [host, packages, nvidia, onBus, vulkan, tensorflow] = await Promise.all([
    ask('host', null),
    ask('packages', null),
    ask('nvidia-smi', null),
    ask('PCI devices', null),
    ask('Vulkan drivers', null),
    ask('tfjs-node', null),
  ]);
  const { result: adapters, failed, output } = await probe('adapters', null);
  if (failed !== null) failures.push({ probe: 'adapters', reason: failed });
  const noTensorflow = tensorflow?.every(({ version }) => version === null) ?? false;
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
  const ofDevice = (adapters ?? []).length > 0 ? await ask('device speeds', null) : null;
  const report: DoctorReport = {
    schema: DOCTOR_SCHEMA,
    schemaVersion: DOCTOR_SCHEMA_VERSION,
    trains: engines.some(({ works }) => works),
    pick: { engine, forConvolutions },
    findings: [],
    slowlane,
    node,
    system,
    host,
    packages,
    engines,
    adapters,
    adapterMessages: messagesIn(output),
    vulkan,
    gpus: mergedGpus(nvidia, onBus),
    tensorflow,
    speeds: [...(ofHost ?? []), ...(ofDevice ?? [])],
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
