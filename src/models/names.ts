// The models by name, and what they need. Names only: --help loads no TensorFlow.js.

export const MODEL_NAMES = ['mlp', 'cnn', 'lstm', 'transformer'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

/** Models whose training needs gradients of convolution filters. */
const CONVOLUTIONAL: readonly ModelName[] = ['cnn'];

export function needsConvolutions(model: ModelName): boolean {
  return CONVOLUTIONAL.includes(model);
}
