/** The rules for a function that checkpoint() runs twice, and their errors. */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';
import { shown } from '../checks/check.js';
import { type TapeNode, isOnTape } from '../tfjs/tape.js';

export function signature({ kernelName, outputs }: TapeNode): string {
  return `${kernelName} ${outputs.map(({ shape }) => `[${shape.join()}]`).join(' ')}`;
}

export function checkSame(first: readonly string[], again: readonly string[]): void {
  const at = first.findIndex((op, i) => op !== again[i]);
  if (at === -1 && first.length === again.length) return;
  const i = at === -1 ? first.length : at;
  throw new SlowlaneError(
    'STATE_MISMATCH',
    `The function given to checkpoint() must do the same when it runs again for its gradients, but op ` +
      `${i + 1} was ${first[i] ?? 'none'} and is ${again[i] ?? 'none'}. State that it depends on and ` +
      `changes belongs in a tf.Variable.`,
    { first, again },
  );
}

export function checkInputs(inputs: readonly unknown[]): void {
  for (const [i, input] of inputs.entries()) {
    if (input instanceof tf.Tensor) continue;
    throw new TypeError(
      `A checkpointed function takes tensors, got ${shown(input)} as argument ${i + 1}. Other values can be ` +
        `variables of the code around the function.`,
    );
  }
}

export function checkOutput<T>(output: T): T {
  if (output instanceof tf.Tensor) return output;
  throw new TypeError(
    `A checkpointed function gives one tensor, got ${described(output)}. Join several by tf.concat or ` +
      `tf.stack, or make a block of each.`,
  );
}

function described(output: unknown): string {
  if (!Array.isArray(output) || !output.every((part) => part instanceof tf.Tensor)) {
    return output instanceof Promise ? 'a Promise' : shown(output);
  }
  return `an array of ${output.length} tensors`;
}

/** An activation needs a gradient and is freed with the forward pass, so it must be an argument. */
export function checkCaptured(sources: readonly tf.Tensor[], inputs: readonly tf.Tensor[]): void {
  for (const source of sources) {
    if (source instanceof tf.Variable || inputs.includes(source) || !isOnTape(source)) continue;
    throw new SlowlaneError(
      'NO_GRADIENT',
      `The function given to checkpoint() reads a tensor of shape [${source.shape.join()}] that was computed ` +
        `before it in the same forward pass. Pass it as an argument.`,
      { shape: source.shape },
    );
  }
}

export function checkAlive(
  sources: readonly tf.Tensor[],
  cloneOf: ReadonlyMap<tf.Tensor, tf.Tensor>,
): void {
  for (const source of sources) {
    if (cloneOf.has(source) || !source.isDisposed) continue;
    const what =
      source instanceof tf.Variable
        ? `the variable '${source.name}'`
        : `a tensor of shape [${source.shape.join()}]`;
    throw new SlowlaneError(
      'DISPOSED',
      `The function given to checkpoint() reads ${what}, which was disposed before the function could run ` +
        `again for its gradients. Pass a tensor as an argument, or dispose it after the step.`,
      { shape: source.shape },
    );
  }
}
