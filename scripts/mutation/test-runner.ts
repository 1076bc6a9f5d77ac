// Stryker counts tests that fail. A test file that a mutant keeps from loading has no tests, and the mutant would go
// unnoticed: here such a file has one test, which fails.

import { test } from 'vitest';
import { VitestTestRunner } from 'vitest/runners';

export default class LoadingRunner extends VitestTestRunner {
  override async importFile(file: string, source: 'collect' | 'setup'): Promise<unknown> {
    try {
      return await super.importFile(file, source);
    } catch (cause) {
      if (source === 'setup') throw cause;
      test('the file loads', () => {
        throw cause;
      });
      return undefined;
    }
  }
}
