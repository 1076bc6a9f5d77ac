// Chooses the adapter: the fast one, the one that was asked for by name, never software by accident.

import { SlowlaneError } from '../../checks/errors.js';
import type { NodeGpu } from './node-gpu.js';

export interface AdapterWish {
  /** Part of the name, in any case. */
  readonly adapter?: string | undefined;
  readonly powerPreference: GPUPowerPreference;
  /** Take a software adapter if there is nothing else. One that is asked for by name is always taken. */
  readonly allowSoftware: boolean;
}

export interface ChosenAdapter {
  readonly adapter: GPUAdapter;
  readonly gpu: GPU;
  readonly name: string;
  /** Computes on the CPU. */
  readonly software: boolean;
}

/** Limits that tfjs's kernels make use of, as its own backend asks for them. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const satisfies readonly (keyof GPUSupportedLimits)[];

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|basic render/i;

/** A device with all that the adapter has of what tfjs's kernels make use of. */
export function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  return adapter.requestDevice({
    requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  });
}

/** `node` is null in a browser, where `gpu` is `navigator.gpu`. */
export async function chooseAdapter(
  gpu: GPU,
  node: NodeGpu | null,
  wish: AdapterWish,
): Promise<ChosenAdapter> {
  const found = await adaptersOf(gpu, wish.powerPreference);
  if (wish.adapter === undefined) {
    const chosen = found.find(({ software }) => !software);
    if (chosen !== undefined) return chosen;
    const [software] = found;
    if (software !== undefined && wish.allowSoftware) return software;
    if (software !== undefined) throw onlySoftware(software.name);
    throw noAdapter(node);
  }
  const part = wish.adapter.toLowerCase();
  const chosen = found.find(({ name }) => name.toLowerCase().includes(part));
  if (chosen !== undefined) return chosen;
  // The power preferences show at most two of a machine's adapters; Dawn knows them all.
  const names = (await node?.names()) ?? [];
  for (const name of names.filter((one) => one.toLowerCase().includes(part))) {
    const gpuOfThat = node?.gpuNamed(name);
    const [named] =
      gpuOfThat === undefined ? [] : await adaptersOf(gpuOfThat, wish.powerPreference);
    if (named !== undefined) return named;
  }
  if (found.length === 0 && names.length === 0) throw noAdapter(node);
  throw notThere(wish.adapter, [...new Set([...found.map(({ name }) => name), ...names])]);
}

/** Those that the browser or Dawn gives, in the order of `first`; each once. */
export async function adaptersOf(gpu: GPU, first: GPUPowerPreference): Promise<ChosenAdapter[]> {
  const other = first === 'low-power' ? 'high-performance' : 'low-power';
  const requests: GPURequestAdapterOptions[] = [
    { powerPreference: first },
    { powerPreference: other },
    { forceFallbackAdapter: true },
  ];
  const found = new Map<string, ChosenAdapter>();
  for (const request of requests) {
    const adapter = await gpu.requestAdapter(request);
    if (adapter === null) continue;
    const name = nameOf(adapter.info);
    if (!found.has(name)) found.set(name, { adapter, gpu, name, software: isSoftware(adapter) });
  }
  return [...found.values()];
}

function nameOf({ vendor, architecture, device, description }: GPUAdapterInfo): string {
  const parts = [vendor, architecture, device, description].filter((part) => part !== '');
  return [...new Set(parts)].join(' ') || 'unnamed adapter';
}

function isSoftware({ info }: GPUAdapter): boolean {
  return info.isFallbackAdapter || SOFTWARE.test(nameOf(info));
}

function onlySoftware(name: string): SlowlaneError {
  return new SlowlaneError(
    'UNSUPPORTED',
    `WebGPU finds no GPU on this machine, only the software adapter '${name}', which allowSoftware: false refuses.`,
    { adapter: name },
  );
}

function notThere(wanted: string, names: readonly string[]): SlowlaneError {
  const listed = names.map((name) => `'${name}'`).join(', ');
  return new SlowlaneError(
    'UNSUPPORTED',
    `No WebGPU adapter has '${wanted}' in its name. There is: ${listed}.`,
    {
      adapter: wanted,
      names,
    },
  );
}

function noAdapter(node: NodeGpu | null): SlowlaneError {
  const remedy =
    node === null
      ? `Use a browser with WebGPU (current Chrome, Edge, Safari or Firefox) with graphics acceleration ` +
        `turned on, and a secure page (https or localhost).`
      : `Install the GPU's driver; on Linux also the Vulkan loader (libvulkan1), and in a container mount ` +
        `the driver (with NVIDIA: NVIDIA_DRIVER_CAPABILITIES=all) and point VK_DRIVER_FILES at its ICD file. Run 'npx slowlane doctor' to see what it finds.`;
  return new SlowlaneError(
    'UNSUPPORTED',
    `WebGPU finds no adapter on this machine. ${remedy} Without a GPU use tfjs's 'wasm' or 'cpu' backend.`,
  );
}
