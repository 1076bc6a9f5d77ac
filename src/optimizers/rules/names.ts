// Names alone, so that --help need not load TensorFlow.js.

/** slowlane's inner optimizers. */
export const INNER_NAMES = [
  'sgd',
  'momentum',
  'rmsprop',
  'adagrad',
  'adam',
  'adamw',
  'lion',
] as const;

export type InnerName = (typeof INNER_NAMES)[number];
