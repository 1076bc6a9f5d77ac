/**
 * The saved form of TensorFlow.js's own optimizers, read into ours (tfjs-core 4.22, `optimizers/*.js`): the scalar
 * `iter`, then groups of one tensor for each weight, `WEIGHT/ENDING`, in the order of the weights.
 */
import type { NamedTensor } from '../../tfjs/named-tensor.js';
import { classNameOf } from '../rules/names.js';
import { splitName } from './state-names.js';

interface TfjsForm {
  /** The class. */
  readonly className: string;
  /** Of our state, by its name: the ending of theirs. */
  readonly endings: Readonly<Record<string, string>>;
  /** Groups that we have no use for. */
  readonly unused?: readonly string[];
}

/** By the name of the rule. */
const FORMS: Readonly<Record<string, TfjsForm>> = {
  sgd: { className: 'SGD', endings: {} },
  momentum: { className: 'Momentum', endings: { m: 'momentum' } },
  adagrad: { className: 'Adagrad', endings: { accumulator: 'accumulator' } },
  adam: { className: 'Adam', endings: { m: 'm', v: 'v' } },
  rmsprop: {
    className: 'RMSProp',
    endings: { rms: 'rms', momentum: 'momentum', mg: 'mg' },
    // Always there, even without a momentum or with `centered` left out of ours.
    unused: ['momentum'],
  },
};

/** The class of tfjs whose state `rule` can take over. */
export function tfjsClassOf(rule: string): string | undefined {
  return FORMS[rule]?.className;
}

/** True if the optimizer of slowlane with the class `className` takes over what tfjs's class `saved` has saved. */
export function takesOver(className: string, saved: string): boolean {
  return Object.entries(FORMS).some(
    ([rule, form]) => classNameOf(rule) === className && form.className === saved,
  );
}

export function isTfjsState([head]: readonly NamedTensor[]): boolean {
  return head?.name === 'iter' && head.tensor.dtype === 'int32' && head.tensor.size === 1;
}

/**
 * The state tensors of each weight in the order of `slots`, ours of the rule. null if this is not the state of the
 * same optimizer of tfjs with the same options.
 */
export function fromTfjs(
  rule: string,
  slots: readonly string[],
  entries: readonly NamedTensor[],
): NamedTensor[][] | null {
  const form = FORMS[rule];
  if (!form) return null;
  const groups = new Map<string, { weight: string; entry: NamedTensor }[]>();
  for (const entry of entries) {
    const { weight, slot } = splitName(entry.name);
    const group = groups.get(slot);
    if (group) group.push({ weight, entry });
    else groups.set(slot, [{ weight, entry }]);
  }
  const needed = slots.map((slot) => form.endings[slot] ?? '');
  const known = new Set([...needed, ...(form.unused ?? [])]);
  if (![...groups.keys()].every((ending) => known.has(ending))) return null;
  const [first = []] = groups.values();
  const names = first.map(({ weight }) => weight);
  const areAlike = [...groups.values()].every(
    (group) => group.length === names.length && group.every(({ weight }, i) => weight === names[i]),
  );
  if (!areAlike || (entries.length > 0 && !needed.every((ending) => groups.has(ending)))) {
    return null;
  }
  return names.map((weight, i) =>
    needed.map((ending, s) => ({
      name: `${weight}/${slots[s] ?? ''}`,
      tensor: groups.get(ending)?.[i]?.entry.tensor as NamedTensor['tensor'],
    })),
  );
}
