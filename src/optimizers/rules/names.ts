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

/** The name under which TensorFlow.js saves and finds the optimizer of the rule `name`. */
export function classNameOf(name: string): string {
  return `Slowlane${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}
