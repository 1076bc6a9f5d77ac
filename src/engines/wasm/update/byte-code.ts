// Just enough of WebAssembly's binary format: a module of one function on a memory that it imports.

export type Code = readonly number[];

export const TYPES = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;
export type Type = keyof typeof TYPES;

export interface FunctionSource {
  readonly parameters: readonly Type[];
  /** Numbered after the parameters. */
  readonly locals: readonly Type[];
  readonly body: Code;
}

/** The module exports the function as `run`, and imports `env.memory`. */
export function moduleOf(
  { parameters, locals, body }: FunctionSource,
  { isShared }: { readonly isShared: boolean },
): Uint8Array<ArrayBuffer> {
  const types = (all: readonly Type[]) => vector(all.map((type) => [TYPES[type]]));
  const limits = isShared ? [0x03, 0, ...unsigned(65_536)] : [0x00, 0]; // a shared memory has a maximum
  const code = codeOf(vector(locals.map((type) => [1, TYPES[type]])), body, [0x0b]);
  return Uint8Array.from(
    codeOf(
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, [[0x60, ...types(parameters), 0]]),
      section(2, [[...named('env'), ...named('memory'), 0x02, ...limits]]),
      section(3, [[0]]),
      section(7, [[...named('run'), 0x00, 0]]),
      section(10, [sized(code)]),
    ),
  );
}

/** One part after the other. */
export const codeOf = (...parts: readonly Code[]): Code => parts.flat();

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number): Code => [0x21, ...unsigned(local)];
export const tee = (local: number): Code => [0x22, ...unsigned(local)];
/** From −64 to 63. */
export const constant = (value: number): Code => [0x41, value & 0x7f];
export const ADD: Code = [0x6a];
export const AND: Code = [0x71];

/** An operation of the SIMD proposal. */
export const simd = (operation: number): Code => [0xfd, ...unsigned(operation)];

/** Runs `body` while the number in the local `left` is below that in `right`, both without a sign. */
export function whileBelow(left: number, right: number, body: Code): Code {
  const [block, loop, branch, branchIf, end, notBelow] = [0x02, 0x03, 0x0c, 0x0d, 0x0b, 0x4f];
  const nothing = 0x40;
  return codeOf(
    [block, nothing, loop, nothing],
    codeOf(get(left), get(right), [notBelow, branchIf, 1]),
    body,
    [branch, 0, end, end],
  );
}

/** LEB128. */
function unsigned(value: number): Code {
  const low = value % 128;
  return value < 128 ? [low] : [low + 128, ...unsigned((value - low) / 128)];
}

const sized = (code: Code): Code => [...unsigned(code.length), ...code];
const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const named = (name: string): Code => sized([...new TextEncoder().encode(name)]);
const section = (id: number, items: readonly Code[]): Code => [id, ...sized(vector(items))];
