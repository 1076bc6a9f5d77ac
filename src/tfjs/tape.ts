/**
 * The record TensorFlow.js keeps of a forward pass: one node an op, in the order in which they ran.
 * Recording it and walking it is what `tf.variableGrads` does inside; neither is public, hence the probe.
 */
import * as tf from '@tensorflow/tfjs-core';

export interface TapeNode {
  readonly kernelName: string;
  readonly inputs: Readonly<Record<string, tf.Tensor | null | undefined>>;
  readonly outputs: readonly tf.Tensor[];
  /** Kept clones, of this node alone; whoever takes the tape disposes them. */
  readonly saved: readonly tf.Tensor[];
  /** From the gradients of the outputs (null: zero) to those of the inputs. */
  readonly gradient?: (dys: (tf.Tensor | null)[]) => Readonly<Record<string, () => tf.Tensor>>;
  /**
   * For a node that stands for a block of ops: runs the block again and gives its nodes from `inputs` (those
   * that need a gradient) to the node's output, to be walked in its place. The caller's, as is `saved`.
   */
  readonly recompute?: (inputs: TapeNode['inputs']) => TapeNode[];
}

/** The parts of tfjs's engine that are used here. */
interface TapingEngine {
  startTape(): void;
  endTape(): void;
  nextTensorId(): number;
  readonly state: {
    readonly gradientDepth: number;
    readonly kernelDepth: number;
    readonly activeScope: { readonly id: number } | null;
    nextTapeNodeId: number;
    activeTape: TapeNode[] | null | undefined;
  };
}

/** Per engine, what the probe found. */
const probed = new WeakMap<object, boolean>();

/**
 * Whether a pass can be recorded now. False inside of another differentiation, whose tape it would end
 * up on, and with a TensorFlow.js that is made differently, which is said once.
 */
export function canRecord(): boolean {
  const engine: object = tf.engine();
  let isKnown = probed.get(engine);
  if (isKnown === undefined) {
    if (isTaping(engine) && engine.state.gradientDepth > 0) return false;
    tf.backend(); // an engine without one yet says so here
    isKnown = isTaping(engine) && passesProbe(engine);
    probed.set(engine, isKnown);
    if (!isKnown) {
      console.warn(
        `slowlane: gradients: 'release' knows the inside of TensorFlow.js 4.22; this is ${tf.version_core}, ` +
          `made differently. Gradients are kept to the end of the step: same results, more memory.`,
      );
    }
  }
  return isKnown && isTaping(engine) && engine.state.gradientDepth === 0;
}

/** Runs `f` as `tf.variableGrads` does, outside of another differentiation. If it throws, what the tape held is freed. */
export function record<T extends tf.Tensor>(
  f: () => T,
): { readonly value: T; readonly tape: readonly TapeNode[] } {
  taping().state.activeTape = null; // what a computation of tfjs that failed may have left
  return recordAside(f);
}

/** Whether ops are recorded now, by whomever, onto a tape that this file can add to. */
export function isRecording(): boolean {
  const engine: object = tf.engine();
  if (!isTaping(engine)) return false;
  const { gradientDepth, kernelDepth, activeTape } = engine.state;
  return gradientDepth > 0 && kernelDepth === 0 && Array.isArray(activeTape);
}

/** Whether the gradients computed now are recorded too, for gradients of gradients. */
export function isHigherOrder(): boolean {
  const engine: object = tf.engine();
  return isTaping(engine) && engine.state.gradientDepth > 0;
}

/**
 * Runs `f` with a tape of its own, which is the caller's, and puts back the one there was. If `f` throws,
 * what its tape held is freed.
 */
export function recordAside<T extends tf.Tensor>(
  f: () => T,
): { readonly value: T; readonly tape: readonly TapeNode[] } {
  const engine = taping();
  const { state } = engine;
  const aside = state.activeTape;
  engine.startTape();
  const tape: TapeNode[] = [];
  state.activeTape = tape;
  let value: T | undefined;
  try {
    value = tf.tidy('forward', f);
    return { value, tape };
  } finally {
    engine.endTape();
    if (value === undefined) freeSaved(tape);
    // A device that ran out of memory has dropped the tape that it saw: the one put aside goes with it.
    if (state.activeTape !== tape) freeSaved(aside ?? []);
    state.activeTape = aside;
  }
}

/** Adds nodes to the tape that is being recorded, which owns them from here on. */
export function addToTape(nodes: readonly TapeNode[]): void {
  const { state } = taping();
  // tfjs tells nodes apart by an id.
  for (const node of nodes) {
    state.activeTape?.push('id' in node ? node : withId(node, state.nextTapeNodeId++));
  }
}

/** Frees what the tape held that a walk of tfjs is on, when that walk is broken off: tfjs would not. */
export function dropWalkedTape(): void {
  const engine: object = tf.engine();
  if (isTaping(engine) && engine.state.gradientDepth === 0)
    freeSaved(engine.state.activeTape ?? []);
}

/** Whether an op on the tape now being recorded made `tensor`. */
export function isOnTape(tensor: tf.Tensor): boolean {
  const engine: object = tf.engine();
  const tape = isTaping(engine) ? (engine.state.activeTape ?? []) : [];
  return tape.some(({ outputs }) => outputs.some(({ id }) => id === tensor.id));
}

/** Tensors made from now on have this id or a greater one. */
export function nextTensorId(): number {
  return taping().nextTensorId();
}

/** a + b as tfjs adds up gradients. */
export function sumOf(a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  return tf.engine().runKernel(tf.Add, { a, b });
}

export function freeSaved(nodes: Iterable<TapeNode>): void {
  for (const { saved } of nodes) tf.dispose([...saved]);
}

/** True for a tensor that the scope now open disposes when it ends. */
export function belongsToScope(tensor: tf.Tensor): boolean {
  const engine: object = tf.engine();
  if (!isTaping(engine)) return false;
  return !tensor.kept && tensor.scopeId === engine.state.activeScope?.id;
}

/** The inputs of a node in its order, which is the order in which gradients are summed. */
export function inputsOf(node: TapeNode): [name: string, tensor: tf.Tensor][] {
  const found: [string, tf.Tensor][] = [];
  for (const [name, tensor] of Object.entries(node.inputs)) if (tensor) found.push([name, tensor]);
  return found;
}

/**
 * The nodes on a path from one of `sources` to `target`, in the order of the tape, each with only those
 * of its inputs that depend on a source.
 */
export function nodesBetween(
  tape: readonly TapeNode[],
  sources: readonly tf.Tensor[],
  target: tf.Tensor,
): TapeNode[] {
  const dependent = new Set(sources.map(({ id }) => id));
  for (const node of tape) {
    if (!inputsOf(node).some(([, { id }]) => dependent.has(id))) continue;
    for (const { id } of node.outputs) dependent.add(id);
  }
  const leading = new Set([target.id]);
  const between: TapeNode[] = [];
  for (const node of tape.toReversed()) {
    if (!node.outputs.some(({ id }) => leading.has(id))) continue;
    const inputs = inputsOf(node);
    for (const [, { id }] of inputs) leading.add(id);
    const followed = inputs.filter(([, { id }]) => dependent.has(id));
    if (followed.length > 0) between.push({ ...node, inputs: Object.fromEntries(followed) });
  }
  return between.toReversed();
}

function withId(node: TapeNode, id: number): TapeNode {
  return Object.assign(node, { id });
}

function taping(): TapingEngine {
  const engine: object = tf.engine();
  if (isTaping(engine)) return engine;
  throw new Error('This engine has no tape.');
}

function isTaping(engine: object): engine is TapingEngine {
  const { startTape, endTape, nextTensorId, state } = engine as Partial<TapingEngine>;
  return (
    typeof startTape === 'function' &&
    typeof endTape === 'function' &&
    typeof nextTensorId === 'function' &&
    typeof state?.gradientDepth === 'number'
  );
}

/** Records one op and looks at the outcome. */
function passesProbe(engine: TapingEngine): boolean {
  try {
    return tf.tidy(() => {
      const x = tf.scalar(1);
      const op = tf.customGrad(() => ({ value: tf.clone(x), gradFunc: (dy) => dy }));
      engine.startTape();
      let node: Partial<TapeNode> | undefined;
      try {
        op(x);
        node = engine.state.activeTape?.[0];
      } finally {
        engine.endTape();
      }
      engine.state.activeTape = null;
      return (
        belongsToScope(x) &&
        engine.state.gradientDepth === 0 &&
        node?.inputs?.['0'] === x &&
        Array.isArray(node.outputs) &&
        Array.isArray(node.saved) &&
        node.gradient?.([x])['0']?.() === x
      );
    });
  } catch {
    return false;
  }
}
