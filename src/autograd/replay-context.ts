/**
 * What a function's result depends on besides its arguments: random numbers and the values of variables. The first
 * run records them, so that a second run computes the same and leaves nothing changed.
 *
 * Random ops of TensorFlow.js without a seed take one from `Math.random`. State that is neither random numbers nor
 * in a `tf.Variable` is not recorded.
 */
import * as tf from '@tensorflow/tfjs-core';
import { SlowlaneError } from '../checks/errors.js';

/** A value that a variable had. On wasm `held` is a copy, elsewhere it shares the data. */
interface Value {
  readonly held: tf.Tensor;
  readonly dataId: object;
}

type Values = Map<tf.Variable, Value>;

export class ReplayContext {
  /** The results of `Math.random`. */
  readonly #draws: number[] = [];
  /** The values that the first run found in variables. */
  readonly #found: Values = new Map();

  /** The first run. If it throws, nothing stays held. */
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

  /** Records the values of variables that the first run read. Those that it assigned are recorded already. */
  read(variables: Iterable<tf.Variable>): void {
    for (const variable of variables) note(this.#found, variable);
  }

  /** The tensors held. Disposing them ends the use of this context. */
  get held(): tf.Tensor[] {
    return [...this.#found.values()].map(({ held }) => held);
  }

  dispose(): void {
    tf.dispose(this.held);
    this.#found.clear();
  }

  /** Runs `f` under the conditions of the first run, then puts the variables back to their values before. */
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
          for (const [variable, { held, dataId }] of this.#found) {
            if (variable.dataId !== dataId) variable.assign(held);
          }
          return f();
        }),
      );
      if (drawn !== this.#draws.length) throw this.#differs(String(drawn));
      return result;
    } finally {
      for (const [variable, { held }] of changed) {
        variable.assign(held);
        held.dispose();
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

/** Adds to `values` the old value of each variable that `f` assigns to. */
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
  if (values.has(variable)) return;
  values.set(variable, { held: tf.keep(tf.clone<tf.Tensor>(variable)), dataId: variable.dataId });
}
