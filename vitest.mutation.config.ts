// The tests of one room, for `npm run mutation`. mergeConfig would add the lists of the base to these.

import { statSync } from 'node:fs';

import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

import { isRoomName, MUTATED, type MutatedRoom } from './scripts/mutation/rooms.js';
import base from './vitest.config.js';

const room = process.env['SLOWLANE_MUTATED_ROOM'] ?? '';
if (!isRoomName(room))
  throw new RangeError(`SLOWLANE_MUTATED_ROOM has to name a room, got '${room}'.`);
const { tests, without = [], first = [], threads = false }: MutatedRoom = MUTATED[room];

// A mutant is done with at the first test that fails, so the order decides how long it takes.
class FirstThenSmall extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = first.findIndex((file) => moduleId.endsWith(file));
      return at === -1 ? Infinity : at;
    };
    return files.toSorted((a, b) => {
      const [one, other] = [place(a), place(b)];
      return one === other ? statSync(a.moduleId).size - statSync(b.moduleId).size : one - other;
    });
  }
}

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: [...tests],
    exclude: [...(base.test?.exclude ?? []), ...without],
    sequence: { sequencer: FirstThenSmall },
    runner: './scripts/mutation/test-runner.ts',
    // Modules are loaded once for each mutant, not for each test file.
    isolate: false,
    // Loading tsx costs time, and only worker threads need it.
    ...(threads ? {} : { execArgv: [] }),
  },
});
