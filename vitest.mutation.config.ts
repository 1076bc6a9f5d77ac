// The tests of one room, for `npm run mutation`. mergeConfig would add the lists of the base to these.

import { defineConfig } from 'vitest/config';

import { isRoomName, MUTATED, type MutatedRoom } from './scripts/mutation/rooms.js';
import base from './vitest.config.js';

const room = process.env['SLOWLANE_MUTATED_ROOM'] ?? '';
if (!isRoomName(room))
  throw new RangeError(`SLOWLANE_MUTATED_ROOM has to name a room, got '${room}'.`);
const { tests, without = [], threads = false }: MutatedRoom = MUTATED[room];

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: [...tests],
    exclude: [...(base.test?.exclude ?? []), ...without],
    // Loading tsx costs time, and only worker threads need it.
    ...(threads ? {} : { execArgv: [] }),
  },
});
