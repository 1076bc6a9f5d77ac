// The difference between two plain values, as plain data that is small where little changed: a column that grew, a
// text that differs. A live page gets such changes instead of all its data.

export type Change =
  | { readonly set: unknown }
  /** A column: its first `keep` values stay, `add` follows them. */
  | { readonly keep: number; readonly add: readonly unknown[] }
  | { readonly of: Readonly<Record<string, Change>>; readonly without?: readonly string[] };

/** What a live page is sent: all there is to show, or what changed since the last message. */
export type LiveMessage<State> = {
  /** True for the last message. */
  readonly ended: boolean;
} & ({ readonly whole: State } | { readonly changes: Change });

/** Undefined if nothing changed. Both values are what JSON can hold. */
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

/** The value that `change` was made for, of the value that it was made from. */
export function applyChange(value: unknown, change: Change): unknown {
  if ('set' in change) return change.set;
  if ('keep' in change) return [...(value as unknown[]).slice(0, change.keep), ...change.add];
  const fields = value as Readonly<Record<string, unknown>>;
  const made = Array.isArray(value) ? [...value] : { ...fields };
  for (const name of change.without ?? []) delete (made as Record<string, unknown>)[name];
  for (const [name, inside] of Object.entries(change.of)) {
    (made as Record<string, unknown>)[name] = applyChange(fields[name], inside);
  }
  return made;
}
