// Which sources are mutated together, and which tests have to notice. test/ROOM mirrors src/ROOM; tests of other rooms
// stand here where they are what tests this code. Slow ones are left out where quicker ones cover the same.

export interface MutatedRoom {
  readonly sources: readonly string[];
  readonly tests: readonly string[];
  readonly without?: readonly string[];
  /** These run before the others: the quick ones that fail most often. */
  readonly first?: readonly string[];
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
  formula: {
    ...mirrored('formula'),
    without: ['test/formula/quantization-training.test.ts'],
    first: ['test/formula/clipping.test.ts', 'test/formula/tensor-algebra.test.ts'],
  },
  slow: {
    sources: ['src/slow/**/*.ts'],
    // Those of the codecs are about workers/.
    tests: ['test/slow/*layout.test.ts', 'test/slow/slow-format.test.ts'],
  },
  optimizers: mirrored('optimizers'),
  plan: {
    ...mirrored('plan'),
    without: ['test/plan/peak.test.ts'],
    first: [
      'test/plan/parts.test.ts',
      'test/plan/describe.test.ts',
      'test/plan/layers.test.ts',
      'test/plan/activations.test.ts',
    ],
  },
  snapshot: {
    ...mirrored('snapshot'),
    first: [
      'test/snapshot/packed-reader.test.ts',
      'test/snapshot/packed-file.test.ts',
      'test/snapshot/whole-model.test.ts',
      'test/snapshot/lookahead-state.test.ts',
      'test/snapshot/any-optimizer.test.ts',
    ],
  },
  sync: mirrored('sync'),
  lookahead: mirrored('lookahead'),
} as const satisfies Record<string, MutatedRoom>;

export type RoomName = keyof typeof MUTATED;

export const isRoomName = (name: string): name is RoomName => Object.hasOwn(MUTATED, name);
