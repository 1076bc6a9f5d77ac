// What changed from one plain value to the next, as plain data that is small where little did: columns that
// got longer, texts that differ.

export type Change =
  | { readonly set: unknown }
  /** Of a column: its first `keep` values stay, these follow. */
  | { readonly keep: number; readonly add: readonly unknown[] }
  | { readonly of: Readonly<Record<string, Change>>; readonly without?: readonly string[] };

/** Undefined if nothing did. Both are what JSON can hold. */
export function changesOf(before: unknown, after: unknown): Change | undefined {
  if (before === after) return undefined;
  if (Array.isArray(before) && Array.isArray(after)) {
    if (isColumn(before) && isColumn(after)) return changesOfColumn(before, after);
    return before.length === after.length ? changesOfFields(before, after) : { set: after };
  }
  if (isObject(before) && isObject(after)) return changesOfFields(before, after);
  return { set: after };
}

function changesOfColumn(
  before: readonly unknown[],
  after: readonly unknown[],
): Change | undefined {
  let keep = 0;
  while (keep < before.length && keep < after.length && before[keep] === after[keep]) keep += 1;
  if (keep === before.length && keep === after.length) return undefined;
  return { keep, add: after.slice(keep) };
}

function changesOfFields(before: object, after: object): Change | undefined {
  const [old, fresh] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const of: Record<string, Change> = {};
  for (const [name, value] of fresh) {
    const change = old.has(name) ? changesOf(old.get(name), value) : { set: value as unknown };
    if (change !== undefined) of[name] = change;
  }
  const without = [...old.keys()].filter((name) => !fresh.has(name));
  if (without.length > 0) return { of, without };
  return Object.keys(of).length === 0 ? undefined : { of };
}

function isColumn(list: readonly unknown[]): boolean {
  return list.every((value) => typeof value !== 'object' || value === null);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
