// The machine as the doctor's probes see it. Tests pass a made-up one.

import { access, readdir, readFile, stat } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';

import { type RunProgram, runProgram } from '../../engines/tensorflow/nvidia.js';
import { packageFolder } from '../../measure/machine/packages.js';
import type { HostReport } from './report.js';

export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly arch: string;
  /** Of Node, without the v. */
  readonly node: string;
  readonly readText: (path: string) => Promise<string>;
  /** The names in a folder; none if it can't be read. */
  readonly list: (folder: string) => Promise<readonly string[]>;
  /** Follows links. */
  readonly exists: (path: string) => Promise<boolean>;
  readonly run: RunProgram;
  readonly host: () => HostReport;
  /** null: not installed. */
  readonly packageFolder: (name: string) => string | null;
}

export function thisMachine(): Machine {
  return {
    env: process.env,
    platform: process.platform,
    arch: process.arch,
    node: process.versions.node,
    readText: async (path) => {
      // A pipe would keep its reader waiting.
      if (!(await stat(path)).isFile()) throw new Error('it is not a regular file');
      return readFile(path, 'utf8');
    },
    list: (folder) => readdir(folder).catch(() => []),
    exists: async (path) => {
      try {
        await access(path);
        return true;
      } catch {
        return false;
      }
    },
    run: runProgram,
    host: thisHost,
    packageFolder,
  };
}

function thisHost(): HostReport {
  // Of the container, where it has a limit. Not in the first versions of Node 20.
  const limit = (process.constrainedMemory as (() => number) | undefined)?.() ?? 0;
  const available = (process.availableMemory as (() => number) | undefined)?.() ?? freemem();
  const ramBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    ramBytes,
    availableBytes: Math.min(available, ramBytes),
  };
}
