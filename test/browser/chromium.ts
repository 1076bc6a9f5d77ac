// A headless Chromium whose WebGPU runs on SwiftShader, both from the package @sparticuz/chromium. The
// package unpacks into the system's folder for temporary files, and takes what is there for whole: two
// test files that start together could catch it half written. So: unpacked once into .cache, under its
// version, and moved there when it is whole.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { brotliDecompressSync, createBrotliDecompress } from 'node:zlib';
import { type Browser, chromium } from 'playwright-core';

import { entry } from '../built.js';

/** The package's binaries are for this platform alone. */
export const hasChromium = process.platform === 'linux' && process.arch === 'x64';

const WEBGPU_ON_SWIFTSHADER = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
];

const WEBGL_ON_SWIFTSHADER = [
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
];

/** The caller closes it. WebGPU and WebGL, if asked for, run on SwiftShader. */
export async function launchChromium(wanted: {
  webgpu: boolean;
  webgl?: boolean;
}): Promise<Browser> {
  return chromium.launch({
    executablePath: join(await unpacked(), 'chromium'),
    // Not the package's own list of arguments: its --single-process ends with the first page.
    args: [
      '--no-sandbox',
      ...(wanted.webgpu ? WEBGPU_ON_SWIFTSHADER : ['--disable-blink-features=WebGPU']),
      ...(wanted.webgl === true ? WEBGL_ON_SWIFTSHADER : []),
    ],
  });
}

async function unpacked(): Promise<string> {
  const source = entry('node_modules/@sparticuz/chromium');
  const { version } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as {
    version: string;
  };
  const cache = entry('.cache');
  const folder = join(cache, `chromium-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'chromium-making-'));
  try {
    const binary = join(making, 'chromium');
    await pipeline(
      createReadStream(join(source, 'bin/chromium.br')),
      createBrotliDecompress(),
      createWriteStream(binary),
    );
    chmodSync(binary, 0o755);
    const drivers = brotliDecompressSync(readFileSync(join(source, 'bin/swiftshader.tar.br')));
    execFileSync('tar', ['-xf', '-', '-C', making], { input: drivers });
    renameSync(making, folder);
  } catch (error) {
    // Another run may have been first; a folder that has the name is always whole.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return folder;
}
