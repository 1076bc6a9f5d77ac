/**
 * An update rule as a WebAssembly module: its formula, written out in byte code. The same formula runs as tensor operations
 * elsewhere (`formula/tensor-algebra.ts`), with the same bits: each operation is that of IEEE 754, in the same order. Here
 * each weight, state tensor and gradient is read once and written at most once, four elements at a time, and the last
 * three at most one by one.
 */
import type { Clip } from '../../../formula/clipping.js';
import type { Assignment } from '../../../formula/update-rule.js';
import {
  ADD,
  AND,
  type Code,
  codeOf,
  constant,
  get,
  moduleOf,
  set,
  type Type,
  whileBelow,
} from './byte-code.js';
import { algebraOn, FOUR, type Lanes, ONE } from './lanes.js';

export interface UpdateSpec {
  readonly formula: readonly Assignment[];
  readonly state: readonly string[];
  readonly scalars: readonly string[];
  readonly clip: Clip['by'];
}

/** What `run` takes, in order: the bytes of the weight, the positions of its tensors, numbers. */
interface Parameters {
  /** Tensors of the weight's shape. */
  readonly tensors: readonly string[];
  /** The position of the number that scales the gradient, if it is clipped so. */
  readonly scale: readonly string[];
  /** The limit of clipValue, if there is one, and the scalars. */
  readonly numbers: readonly string[];
}

const BYTES = 'bytes of the weight';
const SCALE = 'scale of the gradient';
const LIMIT = 'limit of the gradient';
const AT = 'bytes done';
const END = 'bytes to do in fours';
const SCRATCH = 'scratch';

/** `run(bytes, weight, gradient, …state, scale?, limit?, …scalars)`. */
export function updateModule(
  spec: UpdateSpec,
  memory: { readonly isShared: boolean },
): Uint8Array<ArrayBuffer> {
  const parameters: Parameters = {
    tensors: ['weight', 'gradient', ...spec.state],
    scale: spec.clip === 'scale' ? [SCALE] : [],
    numbers: [...(spec.clip === 'value' ? [LIMIT] : []), ...spec.scalars],
  };
  const { tensors, scale, numbers } = parameters;
  const locals = new Locals();
  locals.add('i32', BYTES);
  for (const name of [...tensors, ...scale]) locals.add('i32', `position of ${name}`);
  for (const name of numbers) locals.add('f32', `number ${name}`);
  const given = locals.types.length;
  locals.add('i32', AT);
  locals.add('i32', END);
  const body = codeOf(
    codeOf(get(locals.of(BYTES)), constant(-16), AND, set(locals.of(END))),
    pass(spec, parameters, FOUR, locals, END),
    pass(spec, parameters, ONE, locals, BYTES),
  );
  const { types } = locals;
  return moduleOf({ parameters: types.slice(0, given), locals: types.slice(given), body }, memory);
}

/** Updates elements from `AT` on, until `end`. */
function pass(
  spec: UpdateSpec,
  { tensors, scale, numbers }: Parameters,
  lanes: Lanes,
  locals: Locals,
  end: string,
): Code {
  const own = (name: string) => `${name}, in ${lanes.type}`;
  const local = (name: string) => locals.of(own(name));
  for (const name of [...tensors, ...scale, ...numbers, SCRATCH]) locals.add(lanes.type, own(name));
  const at = locals.of(AT);
  const place = (name: string) => codeOf(get(locals.of(`position of ${name}`)), get(at), ADD);
  const operands: Record<string, Code> = {};
  for (const name of [...tensors, ...numbers]) operands[name] = get(local(name));
  const algebra = algebraOn(lanes, local(SCRATCH));
  const targets = new Set(spec.formula.map(({ target }) => target));
  const stranger = [...targets].find((target) => !tensors.includes(target));
  if (stranger !== undefined) throw new Error(`The rule has no state '${stranger}'.`);
  return codeOf(
    ...scale.map((name) =>
      codeOf(get(locals.of(`position of ${name}`)), ONE.load, lanes.fill, set(local(name))),
    ),
    ...numbers.map((name) =>
      codeOf(get(locals.of(`number ${name}`)), lanes.fill, set(local(name))),
    ),
    whileBelow(
      at,
      locals.of(end),
      codeOf(
        ...tensors.map((name) => codeOf(place(name), lanes.load, set(local(name)))),
        clipped(spec.clip, lanes, local),
        ...spec.formula.map((assignment) =>
          codeOf(assignment.value(operands, algebra), set(local(assignment.target))),
        ),
        ...[...targets].map((name) => codeOf(place(name), get(local(name)), lanes.store)),
        codeOf(get(at), constant(lanes.bytes), ADD, set(at)),
      ),
    ),
  );
}

function clipped(by: Clip['by'], lanes: Lanes, local: (name: string) => number): Code {
  if (by === 'nothing') return [];
  const gradient = local('gradient');
  if (by === 'scale') return codeOf(get(gradient), get(local(SCALE)), lanes.mul, set(gradient));
  const limit = get(local(LIMIT));
  return codeOf(
    codeOf(get(gradient), limit, lanes.min),
    codeOf(limit, lanes.neg, lanes.max, set(gradient)),
  );
}

/** Parameters and locals by name. */
class Locals {
  readonly types: Type[] = [];
  readonly #numbers = new Map<string, number>();

  add(type: Type, name: string): void {
    this.#numbers.set(name, this.types.length);
    this.types.push(type);
  }

  of(name: string): number {
    const number = this.#numbers.get(name);
    if (number === undefined) throw new Error(`There is no local '${name}'.`);
    return number;
  }
}
