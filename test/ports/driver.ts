// A Vulkan driver that computes on the CPU, seen through the counting layer: it looks like a discrete GPU with chosen heaps,
// and what is allocated can be read by type of memory while a program runs.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { debianPackages, debianVersion } from '../../scripts/ports/debian.js';
import { swiftShaderEnvironment } from '../engines/webgpu/swiftshader.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const cache = join(root, '.cache/ports');
const SOURCE = join(root, 'test/ports/counting-layer.c');
const LAYER = 'VK_LAYER_SLOWLANE_counting';

export const DRIVERS = ['swiftshader', 'lavapipe'] as const;
export type Driver = (typeof DRIVERS)[number];

/** A GPU that the driver is shown as. */
export interface Card {
  readonly vramMiB: number;
  readonly hostMiB: number;
  /** Device memory that the host can map: none, 246 MiB, or all. */
  readonly bar: 'none' | 'small' | 'full';
  /** The most live allocations; as many as wanted without it. */
  readonly allocations?: number;
}

export interface TypeCounts {
  readonly bytes: number;
  readonly peakBytes: number;
  readonly allocations: number;
  readonly live: number;
}

const TYPES = ['noFlags', 'vram', 'hostCoherent', 'hostCached', 'bar'] as const;

/** What the layer has counted in one process. */
export interface Counts extends Readonly<Record<(typeof TYPES)[number], TypeCounts>> {
  /** Of `vram` and `bar` together. */
  readonly deviceBytes: number;
  readonly peakDeviceBytes: number;
  /** Allocations of all types. */
  readonly live: number;
  readonly peakLive: number;
  readonly refused: number;
  readonly submissions: number;
}

/** The environment in which a process finds `driver` as its only one, shown as `card`; its counts are in the file `log`. */
export function cardEnvironment(driver: Driver, card: Card, log: string): NodeJS.ProcessEnv {
  const { vramMiB, hostMiB, bar, allocations = 0 } = card;
  return {
    ...driverEnvironment(driver),
    VK_LAYER_PATH: builtLayer(),
    VK_INSTANCE_LAYERS: LAYER,
    COUNTING_LAYER_LOG: log,
    COUNTING_LAYER_VRAM_MIB: String(vramMiB),
    COUNTING_LAYER_HOST_MIB: String(hostMiB),
    COUNTING_LAYER_BAR: bar,
    COUNTING_LAYER_ALLOCATIONS: String(allocations),
  };
}

export function driverEnvironment(driver: Driver): NodeJS.ProcessEnv {
  const swiftShader = swiftShaderEnvironment();
  if (driver === 'swiftshader') return { ...process.env, ...swiftShader };
  const folder = join(lavapipe(), 'usr');
  const libraries = join(folder, 'lib/x86_64-linux-gnu');
  const manifest = join(cache, 'lavapipe.json');
  const ICD = { library_path: join(libraries, 'libvulkan_lvp.so'), api_version: '1.4.0' };
  writeFileSync(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD }));
  return {
    ...process.env,
    ...swiftShader,
    VK_DRIVER_FILES: manifest,
    VK_ICD_FILENAMES: manifest,
    LD_LIBRARY_PATH: [libraries, swiftShader['LD_LIBRARY_PATH']].join(':'),
  };
}

/** @throws Error if it cannot be had here. */
export function lavapipe(): string {
  mkdirSync(cache, { recursive: true });
  return debianPackages(cache, 'lavapipe', ['mesa-vulkan-drivers']);
}

export function lavapipeVersion(): string {
  return debianVersion(cache, 'mesa-vulkan-drivers');
}

export function countsIn(log: string): Counts {
  const words = new BigUint64Array(new Uint8Array(readFileSync(log)).buffer);
  const at = (index: number) => Number(words[index]);
  const types = TYPES.map((name, i): [string, TypeCounts] => {
    const [bytes, peakBytes, allocations, live] = [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3].map(at);
    return [name, { bytes, peakBytes, allocations, live } as TypeCounts];
  });
  const names = ['deviceBytes', 'peakDeviceBytes', 'live', 'peakLive', 'refused', 'submissions'];
  const others = names.map((name, i): [string, number] => [name, at(4 * TYPES.length + i)]);
  return Object.fromEntries([...types, ...others]) as unknown as Counts;
}

/** The folder that has the layer and its manifest. */
function builtLayer(): string {
  const folder = join(cache, 'layer');
  const library = join(folder, 'libcounting_layer.so');
  mkdirSync(folder, { recursive: true });
  const flags = ['-std=gnu11', '-shared', '-fPIC', '-fvisibility=hidden', '-O1'];
  const strict = ['-Wall', '-Wextra', '-Werror', '-isystem', vulkanHeaders()];
  execFileSync('gcc', [...flags, ...strict, SOURCE, '-o', library]);
  const layer = {
    name: LAYER,
    type: 'GLOBAL',
    library_path: library,
    api_version: '1.3.0',
    implementation_version: '1',
    description: 'shows a driver as a discrete GPU and counts its allocations',
    functions: {
      vkNegotiateLoaderLayerInterfaceVersion: 'vkNegotiateLoaderLayerInterfaceVersion',
    },
  };
  const manifest = { file_format_version: '1.2.0', layer };
  writeFileSync(join(folder, 'counting_layer.json'), JSON.stringify(manifest));
  return folder;
}

function vulkanHeaders(): string {
  const installed = '/usr/include';
  if (existsSync(join(installed, 'vulkan/vk_layer.h'))) return installed;
  return join(debianPackages(cache, 'vulkan-headers', ['libvulkan-dev']), 'usr/include');
}
