// Each WebGPU adapter that is known, with its limits. Runs in its own process, because a driver may crash it. Dawn and
// the Vulkan loader write their messages to its stderr.

import { adaptersOf, type ChosenAdapter } from '../../engines/webgpu/adapters.js';
import { openGpu } from '../../engines/webgpu/open-gpu.js';
import { ADAPTER_LIMITS, type AdapterLimit, type AdapterReport } from './report.js';

export async function listAdapters(): Promise<AdapterReport[]> {
  process.env['VK_LOADER_DEBUG'] ??= 'error'; // the loader reads it when Dawn first calls it
  return [...(await findAdapters()).values()].map(reportOf);
}

/** By name, the fast ones first. */
export async function findAdapters(): Promise<Map<string, ChosenAdapter>> {
  const { gpu, node } = await openGpu();
  const found = new Map<string, ChosenAdapter>();
  const add = (adapters: readonly ChosenAdapter[]) => {
    for (const adapter of adapters) {
      if (!found.has(adapter.name)) found.set(adapter.name, adapter);
    }
  };
  add(await adaptersOf(gpu, 'high-performance'));
  // The power preferences show at most two of a machine's adapters.
  if (node === null) return found;
  for (const name of await node.names()) {
    add(await adaptersOf(node.gpuNamed(name), 'high-performance'));
  }
  return found;
}

function reportOf({ adapter, name, software }: ChosenAdapter): AdapterReport {
  const { vendor, architecture, description: driver } = adapter.info;
  const limits = Object.fromEntries(
    ADAPTER_LIMITS.map((limit) => [limit, adapter.limits[limit]]),
  ) as Record<AdapterLimit, number>;
  return { name, software, vendor, architecture, driver, limits };
}
