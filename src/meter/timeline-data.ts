// What a timeline is once it is recorded: plain data, a part of run.json. The core imports only its types, so that
// no program loads TypeBox because it meters.

import { Type } from 'typebox';

import { count, type Described, list, nullable, object, text } from '../checks/schema.js';

const bytesColumn = (description?: string) => list(Type.Integer(), description);
const indexIn = (names: string) => count(`Index in ${names}.`);

const MOVES = object(
  {
    start: bytesColumn('Bytes by category before the first move.'),
    step: list(count()),
    phase: list(indexIn('phases')),
    from: list(indexIn('places')),
    to: list(indexIn('places')),
    bytes: list(count()),
  },
  'Consecutive moves of bytes from one place to another. What a category holds after each is start and the moves up to it.',
);

const STEPS = object(
  {
    stepsPerRow: Type.Integer({ minimum: 1 }),
    step: list(count(), 'The first step of each row.'),
    begin: list(bytesColumn(), 'Bytes when that step began; one column per category.'),
    peak: list(bytesColumn(), 'Bytes when most was in use; one column per category.'),
    peakPhase: list(indexIn('phases'), 'The phase in which most was in use.'),
    peakStep: list(count(), 'The step in which most was in use.'),
  },
  'The whole run, in rows of one or more steps.',
);

const PEAK = object(
  { step: count(), phase: indexIn('phases'), bytes: bytesColumn('By category.') },
  'When most was allocated, pool included; of several such times the one with most in use.',
);

export const TIMELINE = object(
  {
    // Rises when the layout changes in a way that readers must know of.
    version: Type.Literal(1),
    source: Type.Enum(['allocator', 'tensors'], {
      description:
        'allocator: every buffer of the device, at every event. tensors: what TensorFlow.js reports when each step begins, for an allocator that is not ours.',
    }),
    categories: list(text()),
    phases: list(text()),
    places: list(text(), 'The categories, then free.'),
    budgetBytes: nullable(count(), 'Null without a budget.'),
    moves: count('Number of moves in the whole run.'),
    peak: PEAK,
    steps: STEPS,
    first: MOVES,
    last: nullable(
      MOVES,
      'The last moves. They begin where first ends, or later; null if first holds every move.',
    ),
  },
  'What a meter measured; docs/where-did-my-memory-go.md explains the words. Null without --timeline.',
);

/** Everything that a meter has recorded, as plain data; docs/run-record.schema.json describes its fields. */
export type TimelineData = Described<typeof TIMELINE>;
export type StepColumns = TimelineData['steps'];
export type MoveColumns = TimelineData['first'];
