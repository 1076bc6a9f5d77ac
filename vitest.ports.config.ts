// Tests that need more than npm packages: scripts/test-ports.ts starts them, at night and not in the gate. With
// SLOWLANE_PORTS=lavapipe they are the WebGPU suites on that driver, with SLOWLANE_PORTS=sloppy those of parity with sloppy kernels.

import { defineConfig } from 'vitest/config';

import { driverEnvironment } from './test/ports/driver.js';
import ordinary from './vitest.config.js';

const wanted = process.env['SLOWLANE_PORTS'];
// Read by the linker of the processes that vitest forks.
if (wanted === 'lavapipe') Object.assign(process.env, driverEnvironment('lavapipe'));
const INCLUDED: Readonly<Record<string, string[]>> = {
  lavapipe: ['test/engines/webgpu/**/*.test.ts', 'test/engines/contract.test.ts'],
  sloppy: ['test/engines/webgpu/update/parity.test.ts'],
};

export default defineConfig({
  ...ordinary,
  test: {
    ...ordinary.test,
    include: INCLUDED[wanted ?? ''] ?? ['test/ports/**/*.test.ts'],
    exclude: ['test/engines/webgpu/start.test.ts'], // expects SwiftShader by its name
    setupFiles: wanted === 'sloppy' ? ['test/ports/sloppy-setup.ts'] : [],
    maxWorkers: 1,
  },
});
