// SwiftShader, a Vulkan driver that computes on the CPU, and a Vulkan loader: both come with the
// package @sparticuz/chromium. Unpacked once into .cache; nothing else of the package is, for its own
// libEGL would get in the way of other programs that are started with this environment.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';

const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];
const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The package's binaries are for this platform alone. */
export const hasSwiftShader = process.platform === 'linux' && process.arch === 'x64';

/**
 * The environment in which a process finds SwiftShader as its only Vulkan driver. The dynamic linker
 * reads it when a process starts: set it before, in the parent.
 */
export function swiftShaderEnvironment(): Record<string, string> {
  if (!hasSwiftShader) return {};
  const folder = unpacked();
  const driver = join(folder, 'vk_swiftshader_icd.json');
  const paths = (process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter((path) => path !== '');
  return {
    VK_DRIVER_FILES: driver,
    VK_ICD_FILENAMES: driver,
    LD_LIBRARY_PATH: [...new Set([folder, ...paths])].join(':'),
    XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'] ?? folder,
  };
}

function unpacked(): string {
  const chromium = join(root, 'node_modules/@sparticuz/chromium');
  const { version } = JSON.parse(readFileSync(join(chromium, 'package.json'), 'utf8')) as {
    version: string;
  };
  const cache = join(root, '.cache');
  const folder = join(cache, `swiftshader-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'swiftshader-making-'));
  try {
    const archive = brotliDecompressSync(readFileSync(join(chromium, 'bin/swiftshader.tar.br')));
    execFileSync('tar', ['-xf', '-', '-C', making, ...FILES], { input: archive });
    renameSync(making, folder);
  } catch (error) {
    // Another run may have been first; a folder that has the name is always whole.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return folder;
}
