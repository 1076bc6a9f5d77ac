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
  workers: {
    // What is compiled to WebAssembly beforehand sees no mutant.
    sources: ['workers/*.ts', 'workers/codecs/*.ts', '!workers/kernels-wasm.ts'],
    // Not rounding.test.ts: a mutant that loops for ever is stopped after 100 times the rounds that the tests need.
    tests: [
      'test/workers/*blend.test.ts',
      'test/workers/*kernels.test.ts',
      'test/slow/codecs.test.ts',
      'test/slow/half.test.ts',
    ],
    first: [
      'test/workers/kernels.test.ts',
      'test/slow/half.test.ts',
      'test/slow/codecs.test.ts',
      'test/workers/quantized-blend.test.ts',
    ],
  },
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
  optimizers: {
    ...mirrored('optimizers'),
    without: ['test/optimizers/moments.test.ts'],
    first: [
      'test/optimizers/state/owners.test.ts',
      'test/optimizers/state/match-saved.test.ts',
      'test/optimizers/state/saved-state.test.ts',
      'test/optimizers/state/weight-state.test.ts',
      'test/optimizers/state/optimizer-state.test.ts',
      'test/optimizers/state/restored-state.test.ts',
      'test/optimizers/state/tfjs-state.test.ts',
      'test/optimizers/foreign/state.test.ts',
      'test/optimizers/foreign/restored.test.ts',
      'test/optimizers/steps/step-failed.test.ts',
      'test/optimizers/steps/micro-batches.test.ts',
      'test/optimizers/options.test.ts',
      'test/optimizers/schedules.test.ts',
    ],
  },
  plan: {
    ...mirrored('plan'),
    without: ['test/plan/peak.test.ts'],
    first: [
      'test/plan/activations.test.ts',
      'test/plan/parts.test.ts',
      'test/plan/shortfall.test.ts',
      'test/plan/describe.test.ts',
      'test/plan/layers.test.ts',
      'test/plan/request.test.ts',
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
  sync: {
    sources: ['src/sync/*.ts'],
    // Those left out blend whole trainings.
    tests: [
      'test/sync/stores.test.ts',
      'test/sync/chunk-pipeline.test.ts',
      'test/sync/broken-sync.test.ts',
      'test/sync/quantized-stores.test.ts',
      'test/sync/half-stores.test.ts',
      'test/sync/store-by-place.test.ts',
    ],
  },
  threads: {
    sources: ['src/sync/node/*.ts'],
    tests: [
      'test/workers/worker-files.test.ts',
      'test/workers/shared-threads.test.ts',
      'test/workers/pool.test.ts',
    ],
    first: ['test/workers/worker-files.test.ts', 'test/workers/shared-threads.test.ts'],
    threads: true,
  },
  lookahead: {
    sources: ['src/lookahead/**/*.ts'],
    // What an optimizer of TensorFlow.js has to do, and what is saved, is tested elsewhere.
    tests: [
      'test/lookahead/**/*.test.ts',
      'test/optimizers/settable.test.ts',
      'test/optimizers/callbacks.test.ts',
      'test/optimizers/state/forget.test.ts',
      'test/snapshot/one-turn.test.ts',
      'test/snapshot/training-state.test.ts',
    ],
    // Whole trainings.
    without: [
      'test/lookahead/mnist.test.ts',
      'test/lookahead/theory.test.ts',
      'test/lookahead/budget-fit.test.ts',
      'test/lookahead/precision/training.test.ts',
      'test/lookahead/precision/precision.test.ts',
    ],
    first: [
      'test/lookahead/cycle.test.ts',
      'test/lookahead/call-guard.test.ts',
      'test/lookahead/stats.test.ts',
      'test/lookahead/options.test.ts',
      'test/lookahead/auto-plan.test.ts',
      'test/lookahead/bad-values.test.ts',
      'test/lookahead/whole-model.test.ts',
      'test/lookahead/weights/small-parts.test.ts',
      'test/lookahead/weights/captures.test.ts',
      'test/lookahead/weights/kept.test.ts',
      'test/lookahead/wrong-arguments.test.ts',
      'test/lookahead/order-of-calls.test.ts',
    ],
  },
} as const satisfies Record<string, MutatedRoom>;

export type RoomName = keyof typeof MUTATED;

export const isRoomName = (name: string): name is RoomName => Object.hasOwn(MUTATED, name);
