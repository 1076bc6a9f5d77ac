// WebGPU from the npm package `webgpu` (Dawn), for runtimes that have none that works.

import { SlowlaneError } from '../../checks/errors.js';

/** Not a literal at the import: a bundler for the browser must not look for the package. */
const PACKAGE: string = 'webgpu';

interface Dawn {
  readonly create: (flags: string[]) => GPU;
  readonly globals: object;
}

export interface NodeGpu {
  readonly gpu: GPU;
  /** The names of all adapters, for a choice by name. */
  names(): Promise<string[]>;
  /** A GPU object with the adapter of that name alone. */
  gpuNamed(name: string): GPU;
}

/**
 * With this each buffer is an allocation of its own, of the bytes that were asked for. Otherwise Dawn rounds buffers under
 * 4 MiB up to a power of two, places them in heaps of 8 MiB and never gives a heap back.
 */
const EACH_BUFFER_APART = 'enable-dawn-features=disable_resource_suballocation';

const opened = new Map<boolean, Promise<NodeGpu>>();

/** Loads Dawn and defines WebGPU's globals. Throws PACKAGE_MISSING if the package is missing. */
export async function openNodeGpu(subAllocate = false): Promise<NodeGpu> {
  // Once in a process and never let go: a GPU object that is collected takes the process down if any of
  // its devices still has something to report.
  const opening = opened.get(subAllocate) ?? open(subAllocate ? [] : [EACH_BUFFER_APART]);
  opened.set(subAllocate, opening);
  try {
    return await opening;
  } catch (error) {
    opened.delete(subAllocate);
    throw error;
  }
}

async function open(flags: readonly string[]): Promise<NodeGpu> {
  const { create, globals } = await importDawn();
  for (const [name, value] of Object.entries(Object.getOwnPropertyDescriptors(globals))) {
    // In place of the runtime's, whose classes are not those of Dawn's objects.
    Object.defineProperty(globalThis, name, { ...value, configurable: true });
  }
  const known = new Map<string, GPU>();
  return {
    gpu: create([...flags]),
    names: () => namesOf(create),
    gpuNamed(name) {
      const gpu = known.get(name) ?? create([...flags, `adapter=${name}`]);
      known.set(name, gpu);
      return gpu;
    },
  };
}

/** tfjs looks for `navigator.gpu` whenever a backend is made. */
export function defineNavigatorGpu(gpu: GPU): void {
  const { navigator } = globalThis as { navigator?: object };
  const target = navigator ?? {};
  Object.defineProperty(target, 'gpu', { value: gpu, configurable: true });
  if (navigator === undefined) {
    Object.defineProperty(globalThis, 'navigator', { value: target, configurable: true });
  }
}

async function importDawn(): Promise<Dawn> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ PACKAGE)) as Dawn;
  } catch (cause) {
    throw new SlowlaneError(
      'PACKAGE_MISSING',
      `WebGPU in Node needs the package 'webgpu', which could not be loaded: ${messageOf(cause)}. ` +
        `Install it: npm install webgpu @tensorflow/tfjs-backend-webgpu@4.22.0`,
      { package: PACKAGE },
      { cause },
    );
  }
}

/** Dawn lists its adapters in the error for a name that none has. */
async function namesOf(create: Dawn['create']): Promise<string[]> {
  try {
    await create(['adapter=no adapter has this name']).requestAdapter();
    return [];
  } catch (error) {
    return [...messageOf(error).matchAll(/name: '([^\n]*)'/g)].map(([, name = '']) => name);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
