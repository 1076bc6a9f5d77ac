/**
 * Activation checkpointing: a block of a model is one node on the tape, which holds the block's inputs. In
 * the backward pass the block runs again and its ops are walked, so that the numbers are those of a
 * block that was never checkpointed.
 */
import * as tf from '@tensorflow/tfjs-core';
import { shown } from '../checks/check.js';
import {
  checkAlive,
  checkCaptured,
  checkInputs,
  checkOutput,
  checkSame,
  signature,
} from './block-checks.js';
import { ReplayContext } from './replay-context.js';
import { TapeWalk } from './tape-walk.js';
import {
  type TapeNode,
  addToTape,
  dropWalkedTape,
  freeSaved,
  inputsOf,
  isHigherOrder,
  isRecording,
  nextTensorId,
  nodesBetween,
  recordAside,
} from '../tfjs/tape.js';

/**
 * Makes a block of a model keep only its inputs for the backward pass, where it runs again. That takes one more forward
 * pass; in memory it takes the inputs of all blocks and the inside of one. With n layers in √n blocks that grows with √n
 * instead of n.
 *
 * The gradients are the same to the bit, for the inputs and for all variables that `fn` uses, which need not be listed.
 * In both runs `fn` gets the same random numbers and finds the same values in variables (dropout; the statistics of a
 * batch norm move once). With `gradients: 'release'` the weights of a block are updated while its ops are walked. Where no
 * gradient is computed, the result is `fn` itself.
 *
 * Source: Chen, Xu, Zhang, Guestrin 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174.
 *
 * @param fn Takes tensors of any shape and type, gives one tensor, and must do the same both times. It may read variables
 * and constants from outside, but activations only as arguments. It keeps no state but variables.
 * @returns A function of the same tensors. The inputs stay the caller's; their data stays allocated until their gradients
 * are done. The result is the caller's.
 * @throws TypeError if `fn` is no function, or gets or gives something other than tensors.
 * @throws SlowlaneError NO_GRADIENT if `fn` reads an activation that is no argument; DISPOSED if something it read is gone when
 * it runs again; STATE_MISMATCH if the second run has other ops.
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { adam, checkpoint } from 'slowlane';
 *
 * const weights = [1, 2, 3, 4].map(() => tf.tidy(() => tf.variable(tf.randomNormal([8, 8], 0, 0.3))));
 * const layer = (x: tf.Tensor, weight: tf.Variable) => tf.relu(tf.matMul(x, weight));
 * const first = checkpoint((x: tf.Tensor) => weights.slice(0, 2).reduce(layer, x));
 * const second = checkpoint((x: tf.Tensor) => weights.slice(2).reduce(layer, x));
 * const x = tf.ones([4, 8]);
 * adam({ gradients: 'release' }).minimize(() => tf.mean(tf.square(second(first(x)))));
 * ```
 */
export function checkpoint<Inputs extends tf.Tensor[], Output extends tf.Tensor>(
  fn: (...inputs: Inputs) => Output,
): (...inputs: Inputs) => Output {
  if (typeof fn !== 'function') {
    throw new TypeError(`checkpoint() takes a function of tensors, got ${shown(fn)}.`);
  }
  return (...inputs) => {
    checkInputs(inputs);
    return isRecording() ? runBlock(fn, inputs) : checkOutput(fn(...inputs));
  };
}

/** What is known of a block after its first run. */
interface Block<Inputs extends tf.Tensor[]> {
  readonly fn: (...inputs: Inputs) => tf.Tensor;
  readonly output: tf.Tensor;
  /** The arguments of the second run: variables, and kept clones of the other inputs. */
  readonly given: Inputs;
  readonly cloneOf: ReadonlyMap<tf.Tensor, tf.Tensor>;
  /** All that `fn` read from outside: inputs, variables, constants. */
  readonly sources: readonly tf.Tensor[];
  readonly replayContext: ReplayContext;
  readonly ops: readonly string[];
}

function runBlock<Inputs extends tf.Tensor[], Output extends tf.Tensor>(
  fn: (...inputs: Inputs) => Output,
  inputs: Inputs,
): Output {
  const replayContext = new ReplayContext();
  const firstId = nextTensorId();
  const { value, tape } = recordAside(() => replayContext.first(() => checkOutput(fn(...inputs))));
  freeSaved(tape);
  const sources = sourcesOf(tape, firstId);
  const nodes = nodesBetween(tape, sources, value);
  if (nodes.length === 0) {
    replayContext.dispose(); // the result is an input, a variable or a constant: nothing to run again
    return value;
  }
  try {
    checkCaptured(sources, inputs);
  } catch (error) {
    replayContext.dispose();
    value.dispose();
    throw error;
  }
  replayContext.read(sources.filter((source) => source instanceof tf.Variable));
  // On the tape, which connects them to the inputs for gradients of gradients.
  const cloneOf = new Map<tf.Tensor, tf.Tensor>();
  for (const input of inputs) {
    if (input instanceof tf.Variable || cloneOf.has(input)) continue;
    cloneOf.set(input, tf.keep(tf.clone(input)));
  }
  const given = inputs.map((input) => cloneOf.get(input) ?? input) as Inputs;
  const ops = nodes.map(signature);
  const block = { fn, output: value, given, cloneOf, sources, replayContext, ops };
  const saved = [...cloneOf.values(), ...replayContext.held];
  addToTape([nodeOf(block, usesOf(nodes, sources), saved)]);
  return value;
}

/**
 * The node that stands for the block. A source is an input once for each use, in the order in which the
 * walk comes upon them, and each gets its own share of the gradient: the shares are then summed in the
 * order in which they would be without the block.
 */
function nodeOf<Inputs extends tf.Tensor[]>(
  block: Block<Inputs>,
  uses: readonly tf.Tensor[],
  saved: readonly tf.Tensor[],
): TapeNode {
  return {
    kernelName: 'Checkpoint',
    inputs: Object.fromEntries(uses.map((source, i) => [String(i), source])),
    outputs: [block.output],
    saved,
    recompute: (inputs) => recompute(block, tensorsOf(inputs)),
    // `this` is a copy of the node, with only those inputs that need a gradient.
    gradient(this: TapeNode, [dy]) {
      const wanted = tensorsOf(this.inputs);
      try {
        const shares = contributions(recompute(block, wanted), block.output, dy ?? null, wanted);
        return Object.fromEntries(
          inputsOf(this).map(([name, { id }]) => [
            name,
            () => shares.get(id)?.shift() ?? missing(),
          ]),
        );
      } catch (error) {
        dropWalkedTape();
        throw error;
      }
    },
  };
}

/**
 * The gradients of `wanted`, by id, for a walk of tfjs: one tensor for each use on the way from `dy`, the gradient
 * of `output`, in the order of the walk. The open scope tracks them.
 */
function contributions(
  nodes: readonly TapeNode[],
  output: tf.Tensor,
  dy: tf.Tensor | null,
  wanted: readonly tf.Tensor[],
): Map<number, tf.Tensor[]> {
  const shares = new Map<number, tf.Tensor[]>(wanted.map(({ id }) => [id, []]));
  const walk = new TapeWalk(nodes, { isRecorded: isHigherOrder() });
  walk.run(output.id, dy === null ? null : tf.clone(dy), {
    complete: (_, gradient) => gradient.dispose(),
    takeShare(id, share) {
      const uses = shares.get(id);
      uses?.push(share);
      return uses !== undefined;
    },
  });
  return shares;
}

/** Runs the block again: its nodes between `wanted` and its output, as if the first run had made them. */
function recompute<Inputs extends tf.Tensor[]>(
  block: Block<Inputs>,
  wanted: readonly tf.Tensor[],
): TapeNode[] {
  const { fn, output, given, cloneOf, sources, replayContext } = block;
  checkAlive(sources, cloneOf);
  const rerun = recordAside(() => replayContext.again(() => checkOutput(fn(...given))));
  const { value, tape } = rerun;
  // An argument comes as its clone, and as itself where `fn` closes over it.
  const both = (found: readonly tf.Tensor[]) => found.flatMap((x) => [x, cloneOf.get(x) ?? x]);
  try {
    checkSame(block.ops, nodesBetween(tape, both(sources), value).map(signature));
  } catch (error) {
    freeSaved(tape);
    throw error;
  }
  value.dispose(); // made by an op inside, which saved it if it needs it
  const nodes = nodesBetween(tape, both(wanted), value);
  if (isHigherOrder()) {
    addToTape(tape);
  } else {
    const needed = new Set(nodes.map(({ saved }) => saved));
    freeSaved(tape.filter(({ saved }) => !needed.has(saved)));
  }
  const original = new Map([[value, output], ...[...cloneOf].map(([a, b]) => [b, a] as const)]);
  return nodes.map((node) => renamed(node, original));
}

/** The node with the block's own tensors in place of those of the second run. */
function renamed(node: TapeNode, original: ReadonlyMap<tf.Tensor, tf.Tensor>): TapeNode {
  const { recompute: again, gradient } = node;
  const inputs = inputsOf(node).map(([name, tensor]) => [name, original.get(tensor) ?? tensor]);
  const outputs = node.outputs.map((tensor) => original.get(tensor) ?? tensor);
  const known = { ...node, inputs: Object.fromEntries(inputs) as TapeNode['inputs'], outputs };
  if (again === undefined || gradient === undefined) return known;
  // A block in the block: it knows the tensors of the second run.
  const itsOwn = (of: TapeNode['inputs']): TapeNode['inputs'] =>
    Object.fromEntries(Object.keys(of).map((name) => [name, node.inputs[name]]));
  return {
    ...known,
    recompute: (of) => again(itsOwn(of)).map((op) => renamed(op, original)),
    gradient(this: TapeNode, dys) {
      return gradient.call({ ...node, inputs: itsOwn(this.inputs) }, dys);
    },
  };
}

/** The tensors that ops on the tape read and that existed before. */
function sourcesOf(tape: readonly TapeNode[], firstId: number): tf.Tensor[] {
  const found = new Set(tape.flatMap((node) => inputsOf(node).map(([, tensor]) => tensor)));
  return [...found].filter((tensor) => tensor instanceof tf.Variable || tensor.id < firstId);
}

/** Each use of a source, in the order of a backward pass. */
function usesOf(nodes: readonly TapeNode[], sources: readonly tf.Tensor[]): tf.Tensor[] {
  const all = nodes.toReversed().flatMap((node) => inputsOf(node).map(([, tensor]) => tensor));
  return all.filter((tensor) => sources.includes(tensor));
}

function tensorsOf(inputs: TapeNode['inputs']): tf.Tensor[] {
  return [...new Set(Object.values(inputs).filter((tensor) => tensor != null))];
}

function missing(): never {
  throw new Error('A checkpointed block has no such gradient.');
}
