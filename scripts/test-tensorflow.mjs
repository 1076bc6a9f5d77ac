// npm run test:tensorflow: makes the engine's parts where they are missing, and runs its tests.

import { spawnSync } from 'node:child_process';

import { tensorflowPackage } from './tensorflow-cache.mjs';

const { status } = spawnSync(
  'npx',
  [
    '--no-install',
    'vitest',
    'run',
    '--config',
    'vitest.tensorflow.config.ts',
    ...process.argv.slice(2),
  ],
  {
    stdio: 'inherit',
    env: { ...process.env, SLOWLANE_TENSORFLOW: tensorflowPackage() },
  },
);
process.exitCode = status ?? 1;
