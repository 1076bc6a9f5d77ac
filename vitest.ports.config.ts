// Tests that need more than npm packages: scripts/test-ports.ts starts them, at night and not in the gate. With
// SLOWLANE_PORTS=lavapipe they are the WebGPU suites on that driver.

import { defineConfig } from 'vitest/config';

import { driverEnvironment } from './test/ports/driver.js';
import ordinary from './vitest.config.js';

const isSuites = process.env['SLOWLANE_PORTS'] === 'lavapipe';
// Read by the linker of the processes that vitest forks.
if (isSuites) Object.assign(process.env, driverEnvironment('lavapipe'));

export default defineConfig({
  ...ordinary,
  test: {
    ...ordinary.test,
    include: isSuites
      ? ['test/engines/webgpu/**/*.test.ts', 'test/engines/contract.test.ts']
      : ['test/ports/**/*.test.ts'],
    exclude: ['test/engines/webgpu/start.test.ts'], // expects SwiftShader by its name
    maxWorkers: 1,
  },
});
