// The probes, each in a process of its own: drivers and native code may crash or hang, and so may a read of a file.

import { fileURLToPath } from 'node:url';

import { runCell } from '../../measure/run-cell.js';
import type {
  AdapterReport,
  GpuReport,
  HostReport,
  PackageReport,
  SpeedReport,
  TensorflowReport,
  VulkanReport,
} from './report.js';
import type { EngineRequest, EngineTry } from './try-engine.js';

export interface ProbeResults {
  host: HostReport;
  packages: readonly PackageReport[];
  'nvidia-smi': readonly GpuReport[];
  'PCI devices': readonly GpuReport[] | null;
  'Vulkan drivers': VulkanReport | null;
  'tfjs-node': readonly TensorflowReport[];
  adapters: readonly AdapterReport[];
  engine: EngineTry;
  'host speeds': readonly SpeedReport[];
  'device speeds': readonly SpeedReport[];
}

export type ProbeRequests = {
  readonly [Name in keyof ProbeResults]: Name extends 'engine' ? EngineRequest : null;
};

/** What a probe told, or why it told nothing; and what was printed meanwhile. */
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
