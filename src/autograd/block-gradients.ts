/** The gradients of a recomputed block, for a walk that is not ours. */
import * as tf from '@tensorflow/tfjs-core';
import { inputGradients, recomputed } from './backward-pass.js';
import { type TapeNode, freeSaved, inputsOf, isHigherOrder } from '../tfjs/tape.js';

/**
 * Walks `nodes` from `dy`, the gradient of `output`. By the id of each of `sources`: one tensor for each
 * use on the way, in the order of the walk, tracked by the open scope. Frees what the nodes saved, unless
 * the walk itself is being recorded, whose tape needs that.
 */
export function contributions(
  nodes: TapeNode[],
  output: tf.Tensor,
  dy: tf.Tensor | null,
  sources: readonly tf.Tensor[],
): Map<number, tf.Tensor[]> {
  const isRecorded = isHigherOrder();
  const shares = new Map<number, tf.Tensor[]>(sources.map(({ id }) => [id, []]));
  const gradients = new Map<number, tf.Tensor>();
  if (dy !== null) gradients.set(output.id, tf.clone(dy));
  try {
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      if (node.recompute !== undefined && !isRecorded) {
        nodes.push(...recomputed(node));
        continue;
      }
      const inputs = inputsOf(node);
      try {
        const dys = node.outputs.map(({ id }) => gradients.get(id) ?? null);
        for (const [i, dx] of inputGradients(node, inputs, dys).entries()) {
          const id = inputs[i]?.[1].id ?? -1;
          const uses = shares.get(id);
          if (uses === undefined) add(gradients, id, dx);
          else uses.push(dx);
        }
        for (const { id } of node.outputs) {
          if (inputs.some(([, input]) => input.id === id)) continue; // a customGrad that gives its input
          gradients.get(id)?.dispose();
          gradients.delete(id);
        }
      } finally {
        if (!isRecorded) freeSaved([node]);
      }
    }
    return shares;
  } finally {
    if (!isRecorded) freeSaved(nodes.splice(0));
  }
}

function add(gradients: Map<number, tf.Tensor>, id: number, dx: tf.Tensor): void {
  const sum = gradients.get(id);
  if (sum === undefined) {
    gradients.set(id, dx);
    return;
  }
  gradients.set(id, tf.add(sum, dx));
  sum.dispose();
  dx.dispose();
}
