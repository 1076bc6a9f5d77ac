// What the numbers were measured on.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { describeNvidia } from './nvidia.js';

export interface AdapterRecord {
  readonly name: string;
  /** Computes on the CPU: none of the times mean anything. */
  readonly software: boolean;
  readonly vendor: string;
  readonly architecture: string;
  /** With its version. */
  readonly driver: string;
  readonly maxBufferBytes: number;
}

/** What a process with WebGPU and TensorFlow.js in it tells. */
export interface AdapterAnswer {
  readonly adapter: AdapterRecord;
  readonly tfjsVersion: string;
}

export interface MachineRecord {
  readonly adapter: AdapterRecord;
  /** As nvidia-smi tells; null without it. */
  readonly nvidia: Readonly<Record<string, string>> | null;
  readonly cpu: string;
  readonly cores: number;
  readonly ramBytes: number;
  readonly platform: string;
  readonly versions: Readonly<Record<'node' | 'tfjs' | 'webgpu' | 'slowlane', string>>;
  /** Of the working tree, `-dirty` if it had changes; null if unknown. */
  readonly commit: string | null;
}

const run = promisify(execFile);
const NVIDIA_FIELDS = [
  'name',
  'driver_version',
  'memory.total',
  'pcie.link.gen.max',
  'pcie.link.width.max',
];

export async function describeMachine(
  { adapter, tfjsVersion }: AdapterAnswer,
  commit?: string,
): Promise<MachineRecord> {
  const [cpu] = cpus();
  return {
    adapter,
    // Beside a software adapter a GPU that is there, too, has nothing to do with the numbers.
    nvidia: adapter.software ? null : await describeNvidia(NVIDIA_FIELDS),
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: cpus().length,
    ramBytes: totalmem(),
    platform: `${process.platform} ${process.arch} ${release()}`,
    versions: {
      node: process.versions.node,
      tfjs: tfjsVersion,
      webgpu: versionOf('webgpu'),
      slowlane: versionOf('slowlane'),
    },
    commit: commit ?? (await gitCommit()),
  };
}

/** For a file name: `nvidia-h100-pcie`. */
export function slugOf({ adapter, nvidia }: MachineRecord): string {
  const slug = (nvidia?.['name'] ?? adapter.name)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return slug === '' ? 'unnamed' : slug.slice(0, 60);
}

function versionOf(name: string): string {
  const require = createRequire(import.meta.url);
  try {
    const { version } = require(`${name}/package.json`) as { version: string };
    return version;
  } catch {
    return packageVersionAbove(name) ?? 'unknown';
  }
}

/** A package whose `exports` leave out its package.json. */
function packageVersionAbove(name: string): string | null {
  const folder = folderAbove((one) => existsSync(join(one, 'node_modules', name, 'package.json')));
  return folder === null ? null : readPackage(join(folder, 'node_modules', name)).version;
}

/** Of slowlane's own repository: installed as a package it may lie in somebody else's. */
export async function gitCommit(): Promise<string | null> {
  const cwd = folderAbove((one) => existsSync(join(one, 'package.json')));
  const isRepository =
    cwd !== null && readPackage(cwd).name === 'slowlane' && existsSync(join(cwd, '.git'));
  if (!isRepository) return null;
  try {
    const { stdout } = await run('git', ['describe', '--always', '--dirty', '--abbrev=12'], {
      cwd,
    });
    return stdout.trim();
  } catch {
    return null; // no git
  }
}

/** The next folder above this file for which `isWanted`. */
function folderAbove(isWanted: (folder: string) => boolean): string | null {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isWanted(folder)) {
    const above = dirname(folder);
    if (above === folder) return null;
    folder = above;
  }
  return folder;
}

function readPackage(folder: string): { name: string; version: string } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
  };
}
