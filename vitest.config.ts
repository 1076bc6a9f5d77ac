import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

import { swiftShaderEnvironment } from './test/engines/webgpu/swiftshader.js';

// `npm test` runs the suite against dist/, which is what users get: entry points, paths of workers and of processes,
// kernels and the command line are right there too. `npx vitest` alone runs it on the sources, without a build.
const build = process.env['SLOWLANE_TARGET'] === 'build';
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const root = build ? 'dist/' : './';
const ext = build ? '.js' : '.ts';

// Software WebGPU. The linker of a worker process reads this when the process starts, and a fork inherits it
// from here; `test.env` would come too late.
Object.assign(process.env, swiftShaderEnvironment());

export default defineConfig({
  resolve: {
    alias: [
      { find: /^slowlane$/, replacement: at(`${root}src/index${ext}`) },
      {
        find: /^slowlane\/(webgpu|wasm|tensorflow)$/,
        replacement: `${at(root)}src/engines/$1/index${ext}`,
      },
      { find: /^#worker-blender$/, replacement: at(`${root}src/sync/node/worker-blender${ext}`) },
      { find: /^#(src|workers|bench)\/(.*)\.js$/, replacement: `${at(root)}$1/$2${ext}` },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // These need what not every machine has: npm run test:tensorflow, npm run test:ports.
    exclude: [...configDefaults.exclude, 'test/engines/tensorflow/**', 'test/ports/**'],
    pool: 'forks',
    maxWorkers: 2,
    // Worker threads inherit these, so that a worker written in TypeScript starts from the sources.
    execArgv: ['--import', 'tsx'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
