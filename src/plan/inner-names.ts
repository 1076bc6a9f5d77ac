// Names alone, so that --help need not load TensorFlow.js.

/** The inner optimizers that can be planned by name. */
export const PLANNED_INNERS = [
  'sgd',
  'momentum',
  'rmsprop',
  'adagrad',
  'lion',
  'adam',
  'adamw',
] as const;

export type PlannedInner = (typeof PLANNED_INNERS)[number];
