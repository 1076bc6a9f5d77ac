import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

import { swiftShaderEnvironment } from './test/engines/webgpu/swiftshader.js';

// `SLOWLANE_TARGET=build` runs the same suite against dist/ instead of the sources: whether entry points, paths of
// workers and of processes, kernels and the command line are right there too. Not what is slow and would be the same.
const build = process.env['SLOWLANE_TARGET'] === 'build';
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const root = build ? 'dist/' : './';
const ext = build ? '.js' : '.ts';

const SAME_IN_BUILD = [
  // Bytes and numbers.
  'test/engines/webgpu/update/**',
  'test/engines/webgpu/{stack,auto-plan}.test.ts',
  'test/engines/webgpu/{blend,memory,host-memory}/**',
  'test/plan/peak.test.ts',
  'test/slow/**',
  'test/lookahead/{precision/**,theory.test.ts}',
  'test/autograd/**',
  'test/formula/**',
  'test/optimizers/{moments,accumulate,parity}.test.ts',
  'test/bench/gpu.test.ts',
  'test/cli/train/models.test.ts',
  // command.test.ts runs benchmarks of the built CLI, in built processes.
  'test/cli/bench/{memory,speed,sync}-command.test.ts',
  'test/browser/webgl.test.ts',
  // What reads the sources themselves.
  'test/docs.test.ts',
  'test/layers.test.ts',
  'test/scripts/**',
  // The page of a report: its scripts are generated text. test/cli/report/report.test.ts runs the built CLI.
  'test/report/report*.test.ts',
];

// Software WebGPU. The linker of a worker process reads this when the process starts, and a fork inherits it
// from here; `test.env` would come too late.
Object.assign(process.env, swiftShaderEnvironment());

export default defineConfig({
  resolve: {
    alias: [
      { find: /^slowlane$/, replacement: at(`${root}src/index${ext}`) },
      {
        find: /^slowlane\/(webgpu|tensorflow)$/,
        replacement: `${at(root)}src/engines/$1/index${ext}`,
      },
      { find: /^#worker-blender$/, replacement: at(`${root}src/sync/node/worker-blender${ext}`) },
      { find: /^#(src|workers|bench)\/(.*)\.js$/, replacement: `${at(root)}$1/$2${ext}` },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    // test/engines/tensorflow needs libtensorflow, which not every machine has: npm run test:tensorflow.
    exclude: [
      ...configDefaults.exclude,
      'test/engines/tensorflow/**',
      ...(build ? SAME_IN_BUILD : []),
    ],
    pool: 'forks',
    maxWorkers: 2,
    // Worker threads inherit these, so that a worker written in TypeScript starts from the sources.
    execArgv: ['--import', 'tsx'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
