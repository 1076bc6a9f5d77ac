// What the numbers were measured on.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { describeNvidia } from '../../engines/tensorflow/nvidia.js';
import type { AdapterRecord, MachineRecord } from '../record-parts.js';
import { folderAbove, readPackage, versionOf } from './packages.js';

/** What a process that has started the engine tells. */
export interface EngineAnswer {
  /** Null without WebGPU. */
  readonly adapter: AdapterRecord | null;
  /** What computes, without WebGPU; else null: the adapter. */
  readonly engine: string | null;
  /** A GPU computes: what nvidia-smi tells is of interest. */
  readonly usesGpu: boolean;
  readonly tfjsVersion: string;
}

const run = promisify(execFile);
const NVIDIA_FIELDS = [
  'name',
  'driver_version',
  'memory.total',
  'pcie.link.gen.max',
  'pcie.link.width.max',
];

export async function describeMachine({
  adapter,
  engine,
  usesGpu,
  tfjsVersion,
}: EngineAnswer): Promise<MachineRecord> {
  const [cpu] = cpus();
  return {
    adapter,
    engine,
    // Where the CPU computes, a GPU that is there, too, has nothing to do with the numbers.
    nvidia: usesGpu ? await describeNvidia(NVIDIA_FIELDS) : null,
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
    commit: await gitCommit(),
  };
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
