// The tests of the TensorFlow engine, and those of the ordinary suite that every engine has to pass, on real libtensorflow:
// started by scripts/test-tensorflow.mjs, which says in SLOWLANE_TENSORFLOW where the package is.

import { defineConfig } from 'vitest/config';

import ordinary from './vitest.config.js';

const { resolve, test } = ordinary;

process.env['SLOWLANE_TEST_ENGINE'] = 'tensorflow';

export default defineConfig({
  ...(resolve && { resolve }),
  test: {
    ...test,
    exclude: [],
    include: [
      'test/engines/tensorflow/**/*.test.ts',
      'test/engines/contract.test.ts',
      'test/lookahead/golden.test.ts',
      'test/lookahead/mnist.test.ts',
      'test/lookahead/faults.test.ts',
      'test/optimizers/golden.test.ts',
      'test/optimizers/parity.test.ts',
      'test/tfjs/host-tensor.test.ts',
      'test/optimizers/weight-decay.test.ts',
    ],
  },
});
