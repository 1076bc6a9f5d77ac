// What the name of a weight says of it.
//
// tfjs numbers what the caller did not name: a variable is '7', a layer 'dense_Dense2'. A layer that is made again
// under its name, as `loadLayersModel` does, gets weights with an ending: 'dense_Dense2/kernel_1'.

export interface WeightName {
  /** 'none': a number of tfjs's. 'layer': of a layer that tfjs named. 'given': by the caller. */
  readonly by: 'none' | 'layer' | 'given';
  /** Names of one group differ only in the numbers that tfjs gave. */
  readonly group: string;
  /** Without the ending: the same for all copies of a layer. */
  readonly base: string;
  /** The ending: 0 of the first copy. */
  readonly copy: number;
  /** In the order in which tfjs counts. */
  readonly numbers: readonly number[];
}

const ENDING = /_(\d+)$/;
const LAYER = /((?:^|\/)[a-z\d_]+_[A-Z][A-Za-z\d]*?)(\d+)(?=\/)/g;

export function weightName(name: string): WeightName {
  if (/^\d+$/.test(name)) {
    return { by: 'none', group: '', base: name, copy: 0, numbers: [Number(name)] };
  }
  const base = name.replace(ENDING, '');
  const copy = Number(ENDING.exec(name)?.[1] ?? 0);
  const layers = [...base.matchAll(LAYER)].map(([, , number]) => Number(number));
  return {
    by: layers.length > 0 ? 'layer' : 'given',
    group: base.replace(LAYER, '$1'),
    base,
    copy,
    numbers: [...layers, copy],
  };
}

/** By group, each in the order of its numbers. */
export function inGroups<N extends { readonly name: string }>(
  all: Iterable<N>,
): ReadonlyMap<string, readonly N[]> {
  const groups = new Map<string, N[]>();
  for (const one of all) {
    const { group } = weightName(one.name);
    const members = groups.get(group);
    if (members) members.push(one);
    else groups.set(group, [one]);
  }
  for (const group of groups.values()) group.sort(byNumbers);
  return groups;
}

function byNumbers(a: { readonly name: string }, b: { readonly name: string }): number {
  const [left, right] = [weightName(a.name).numbers, weightName(b.name).numbers];
  const at = left.findIndex((number, i) => number !== right[i]);
  return (left[at] ?? 0) - (right[at] ?? 0); // all are equal: 0 − 0
}
