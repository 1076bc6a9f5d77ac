/**
 * An assignment takes effect or throws. JavaScript alone would keep `optimizer.beta1 = 0.5` in a new property that nothing
 * reads, and ignore a property that has a getter only, except in strict code.
 */
import * as tf from '@tensorflow/tfjs-core';
import { nearest } from '../checks/check.js';

/** tf.Optimizer, without properties that have no effect. Fields are private or defined in the class. */
export abstract class StrictOptimizer extends tf.Optimizer {
  static {
    // An assignment that finds no property climbs up to here. Beside TensorFlow.js's own it must not get through.
    const end: ProxyHandler<tf.Optimizer> = {
      set(base, name, value, instance: object) {
        const isKnown = typeof name === 'symbol' || name in base;
        if (isKnown && Reflect.set(base, name, value, instance)) return true;
        throw refusal(instance, String(name));
      },
    };
    Object.setPrototypeOf(this.prototype, new Proxy(tf.Optimizer.prototype, end));
  }

  /** @internal What makes such an optimizer, and the options that it takes. */
  abstract get made(): { readonly by: string; readonly options: readonly string[] };
}

/**
 * Gives each property of `of` that can only be read a setter that throws. A method that has the name of one of `options`
 * takes functions alone.
 */
export function refuseAssignments(
  of: { readonly prototype: StrictOptimizer },
  options: readonly string[] = [],
): void {
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(of.prototype))) {
    const method: unknown = property.value;
    const isReadOnly = property.get !== undefined && property.set === undefined;
    if (!isReadOnly && !(typeof method === 'function' && options.includes(name))) continue;
    Object.defineProperty(of.prototype, name, {
      ...(isReadOnly ? property : { get: () => method, configurable: true }),
      set(this: object, value: unknown) {
        if (isReadOnly || typeof value !== 'function') throw refusal(this, name);
        Object.defineProperty(this, name, { value, writable: true, configurable: true });
      },
    });
  }
}

function refusal(instance: object, name: string): TypeError {
  const { by, options } = (instance as StrictOptimizer).made;
  if (options.includes(name)) {
    return new TypeError(
      `${name} cannot be changed once the optimizer is made: give it to ${by}(). Only learningRate can be set later.`,
    );
  }
  if (name in instance) {
    return new TypeError(`${name} is read-only. Only learningRate can be set.`);
  }
  const near = nearest(name, ['learningRate', ...options]);
  const hint = near === undefined ? '' : ` Did you mean '${near}'?`;
  return new TypeError(
    `What ${by}() makes has no property '${name}'.${hint} Only learningRate can be set.`,
  );
}
