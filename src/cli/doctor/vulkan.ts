// The Vulkan drivers that the environment names or that are installed, and what is wrong with them: WebGPU in Node
// only says that there is no adapter.

import { basename, dirname, isAbsolute, join, resolve } from 'node:path';

import { isNotFound, reasonOf } from '../terminal/cli-error.js';
import type { VulkanDriver, VulkanReport } from './report.js';
import type { Machine } from './machine.js';

/** The loader looks at the first of them that is set; the second is its older name. */
const VARIABLES = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'] as const;

/** A driver as it is named in its ICD file; the rest of the file is the loader's business. */
type IcdFile = { readonly ICD?: { readonly library_path?: unknown } } | null;

export async function examineVulkan(machine: Machine): Promise<VulkanReport | null> {
  if (machine.platform === 'win32' || machine.platform === 'darwin') return null;
  const variable = VARIABLES.find((name) => (machine.env[name] ?? '') !== '') ?? null;
  const named = variable === null ? [] : pathsIn(machine.env[variable]);
  const added = pathsIn(machine.env['VK_ADD_DRIVER_FILES']);
  const drivers: VulkanDriver[] = [];
  for (const path of [...added, ...named]) {
    drivers.push(...(await driversAt(machine, path, variable ?? 'VK_ADD_DRIVER_FILES')));
  }
  if (variable !== null) return { variable, drivers };
  for (const folder of foldersOf(machine)) {
    for (const name of await icdFilesIn(machine, folder)) {
      drivers.push(await driverIn(machine, join(folder, name), null));
    }
  }
  return { variable, drivers };
}

function pathsIn(list = ''): string[] {
  return list.split(':').filter((path) => path !== '');
}

/** Where drivers are installed, in the loader's order. */
function foldersOf({ env }: Machine): string[] {
  const home = env['HOME'] ?? '/root';
  const or = (value: string | undefined, fallback: string) =>
    value === undefined || value === '' ? fallback : value;
  return [
    or(env['XDG_CONFIG_HOME'], join(home, '.config')),
    ...pathsIn(or(env['XDG_CONFIG_DIRS'], '/etc/xdg')),
    '/etc',
    or(env['XDG_DATA_HOME'], join(home, '.local/share')),
    ...pathsIn(or(env['XDG_DATA_DIRS'], '/usr/local/share:/usr/share')),
  ].map((folder) => join(folder, 'vulkan/icd.d'));
}

async function icdFilesIn({ list }: Machine, folder: string): Promise<string[]> {
  return (await list(folder)).filter((name) => name.endsWith('.json')).toSorted();
}

/** A path in a variable is an ICD file, or a folder of them. */
async function driversAt(
  machine: Machine,
  path: string,
  variable: string,
): Promise<VulkanDriver[]> {
  const files = await icdFilesIn(machine, path);
  if (files.length === 0) return [await driverIn(machine, path, variable)];
  return Promise.all(files.map((name) => driverIn(machine, join(path, name), variable)));
}

async function driverIn(
  machine: Machine,
  file: string,
  variable: string | null,
): Promise<VulkanDriver> {
  const remedy =
    variable === null
      ? 'Install the driver again, or remove this file'
      : `Point ${variable} at the ICD file of a driver that is installed (NAME_icd.json, mostly in ` +
        `/usr/share/vulkan/icd.d or /etc/vulkan/icd.d), or unset it: then the loader looks there`;
  const broken = (problem: string, library: string | null = null): VulkanDriver => ({
    file,
    library,
    problem,
    remedy,
  });
  let text: string;
  try {
    text = await machine.readText(file);
  } catch (error) {
    return broken(isNotFound(error) ? "doesn't exist" : `can't be read (${reasonOf(error)})`);
  }
  let icd: IcdFile;
  try {
    icd = JSON.parse(text) as IcdFile;
  } catch {
    return broken('is not JSON, so it is not the ICD file of a driver');
  }
  const path = icd?.ICD?.library_path;
  if (typeof path !== 'string' || path === '') {
    return broken('names no driver (ICD.library_path is missing)');
  }
  const library = path.includes('/') && !isAbsolute(path) ? resolve(dirname(file), path) : path;
  if (await canBeFound(machine, library)) return { file, library, problem: null, remedy: null };
  return broken(
    path.includes('/')
      ? `names the driver ${library}, which doesn't exist`
      : `names the driver ${library}, which is neither in LD_LIBRARY_PATH nor known to ldconfig`,
    library,
  );
}

/** The linker looks for a bare name in its own places. True where they can't be asked. */
async function canBeFound(machine: Machine, library: string): Promise<boolean> {
  if (library.includes('/')) return machine.exists(library);
  for (const folder of pathsIn(machine.env['LD_LIBRARY_PATH'])) {
    if (await machine.exists(join(folder, library))) return true;
  }
  try {
    const known = await machine.run('ldconfig', ['-p']);
    return known.split('\n').some((line) => basename(line.trim()) === library);
  } catch {
    return true;
  }
}
