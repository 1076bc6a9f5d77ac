/**
 * What else than its arguments a function's result depends on: random numbers and the values of variables.
 * They are noted in a first run, so that a second one computes the same and leaves nothing changed.
 *
 * All randomness of TensorFlow.js that has no seed takes one from `Math.random`. State that is neither there
 * nor in a `tf.Variable` is not known here.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';

type Values = Map<tf.Variable, tf.Tensor>;

export class ReplayContext {
  /** What `Math.random` gave. */
  readonly #draws: number[] = [];
  /** Of variables: what the first run found. References to the data, which is copied nowhere. */
  readonly #found: Values = new Map();

  /** The first run. If it throws, nothing is held. */
  first<T>(f: () => T): T {
    const { random } = Math;
    const draw = () => {
      const drawn = random();
      this.#draws.push(drawn);
      return drawn;
    };
    let isDone = false;
    try {
      const result = withRandom(draw, () => noteAssigned(this.#found, f));
      isDone = true;
      return result;
    } finally {
      if (!isDone) this.dispose();
    }
  }

  /** Variables that the first run read. Those it assigned are known. */
  read(variables: Iterable<tf.Variable>): void {
    for (const variable of variables) note(this.#found, variable);
  }

  /** The tensors held; whoever takes them disposes them, and with them the way to run again. */
  get held(): tf.Tensor[] {
    return [...this.#found.values()];
  }

  dispose(): void {
    tf.dispose(this.held);
    this.#found.clear();
  }

  /** Runs `f` as the first run was. Variables have the values after it that they had before. */
  again<T>(f: () => T): T {
    let drawn = 0;
    const draw = () => {
      const value = this.#draws[drawn];
      drawn += 1;
      if (value === undefined) throw this.#differs(`more than ${this.#draws.length}`);
      return value;
    };
    const changed: Values = new Map();
    try {
      const result = withRandom(draw, () =>
        noteAssigned(changed, () => {
          for (const [variable, value] of this.#found) {
            if (variable.dataId !== value.dataId) variable.assign(value);
          }
          return f();
        }),
      );
      if (drawn !== this.#draws.length) throw this.#differs(String(drawn));
      return result;
    } finally {
      for (const [variable, value] of changed) {
        variable.assign(value);
        value.dispose();
      }
    }
  }

  #differs(drawn: string): SlowlaneError {
    return new SlowlaneError(
      'STATE_MISMATCH',
      `The function given to checkpoint() drew ${this.#draws.length} random numbers in its first run and ` +
        `${drawn} in the recomputation: it must do the same both times. Layers that make their weights when ` +
        `first called should be called once before training.`,
      { first: this.#draws.length },
    );
  }
}

function withRandom<T>(draw: () => number, f: () => T): T {
  const { random } = Math;
  Math.random = draw;
  try {
    return f();
  } finally {
    Math.random = random;
  }
}

/** Adds to `values` what each variable was that `f` assigns to. */
function noteAssigned<T>(values: Values, f: () => T): T {
  const { prototype } = tf.Variable;
  // oxlint-disable-next-line typescript/unbound-method -- called with its variable
  const { assign } = prototype;
  prototype.assign = function (this: tf.Variable, value) {
    note(values, this);
    assign.call(this, value);
  };
  try {
    return f();
  } finally {
    prototype.assign = assign;
  }
}

function note(values: Values, variable: tf.Variable): void {
  if (!values.has(variable)) values.set(variable, tf.keep(tf.clone<tf.Tensor>(variable)));
}
