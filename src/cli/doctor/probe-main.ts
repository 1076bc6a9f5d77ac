// The process of one probe of `slowlane doctor`: `probe-main.js NAME REQUEST`, started by doctor.ts.

import { runCellHere } from '../../measure/process/cell-process.js';
import { nvidiaGpus, pciGpus } from './gpus.js';
import { thisMachine } from './machine.js';
import { examinePackages, examineTensorflow } from './packages.js';
import type { EngineRequest } from './try-engine.js';
import { examineVulkan } from './vulkan.js';

// Each imports what it needs: drivers and packages that one of them loads must not affect the others.
const probes = {
  host: () => thisMachine().host(),
  packages: () => examinePackages(thisMachine()),
  'nvidia-smi': () => nvidiaGpus(thisMachine()),
  'PCI devices': () => pciGpus(thisMachine()),
  'Vulkan drivers': () => examineVulkan(thisMachine()),
  'tfjs-node': () => examineTensorflow(thisMachine()),
  adapters: async () => (await import('./list-adapters.js')).listAdapters(),
  engine: async (request: EngineRequest) => (await import('./try-engine.js')).tryEngine(request),
  'host speeds': async () => (await import('./speeds.js')).hostSpeeds(),
  'device speeds': async () => (await import('./speeds.js')).deviceSpeeds(),
  'upload memory': async () => (await import('./upload-memory.js')).uploadMemory(thisMachine()),
  'GPU wait': async () => (await import('./speeds.js')).gpuWait(),
};

export type Probes = typeof probes;

const [, , name = '', request = ''] = process.argv;
await runCellHere<unknown>(async () => {
  const probe = probes[name as keyof Probes] as ((request: unknown) => unknown) | undefined;
  if (probe === undefined) throw new Error(`There is no probe '${name}'.`);
  return probe(JSON.parse(request));
});
