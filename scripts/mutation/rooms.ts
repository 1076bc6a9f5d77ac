// Which sources are mutated together, and which tests have to notice. test/ROOM mirrors src/ROOM; tests of other rooms
// stand here where they are what tests this code. Slow ones are left out where quicker ones cover the same.

export interface MutatedRoom {
  readonly sources: readonly string[];
  readonly tests: readonly string[];
  readonly without?: readonly string[];
  /** Worker threads start from TypeScript. They see no mutant, but tests may need them. */
  readonly threads?: boolean;
}

const mirrored = (room: string): MutatedRoom => ({
  sources: [`src/${room}/**/*.ts`],
  tests: [`test/${room}/**/*.test.ts`],
});

/** The rooms of the algorithm. */
export const MUTATED = {
  workers: { sources: ['workers/**/*.ts'], tests: ['test/workers/**/*.test.ts'], threads: true },
  formula: mirrored('formula'),
  slow: mirrored('slow'),
  optimizers: mirrored('optimizers'),
  plan: { ...mirrored('plan'), without: ['test/plan/peak.test.ts'] },
  snapshot: mirrored('snapshot'),
  sync: mirrored('sync'),
  lookahead: mirrored('lookahead'),
} as const satisfies Record<string, MutatedRoom>;

export type RoomName = keyof typeof MUTATED;

export const isRoomName = (name: string): name is RoomName => Object.hasOwn(MUTATED, name);
