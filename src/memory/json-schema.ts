// JSON Schema, as much of it as docs/*.schema.json use. A word that is not known here throws, so that a schema
// can't promise what nobody checks.

import { shown } from '../options.js';

export type JsonSchema = Readonly<Record<string, unknown>>;

const WORDS = [
  '$schema',
  '$id',
  '$defs',
  '$ref',
  'title',
  'description',
  'type',
  'const',
  'enum',
  'minimum',
  'maximum',
  'properties',
  'required',
  'additionalProperties',
  'items',
  'allOf',
  'if',
  'then',
];

/** What is wrong with `value` and where, as half a sentence; null if nothing is. */
export function problemOf(
  value: unknown,
  schema: JsonSchema,
  at = 'the record',
  root = schema,
): string | null {
  const unknown = Object.keys(schema).find((word) => !WORDS.includes(word));
  if (unknown !== undefined) throw new Error(`The schema's '${unknown}' is not understood.`);
  return (
    problemOfReferred(value, schema, at, root) ??
    problemOfValue(value, schema, at) ??
    problemOfObject(value, schema, at, root) ??
    problemOfList(value, schema, at, root) ??
    problemOfParts(value, schema, at, root)
  );
}

function problemOfReferred(
  value: unknown,
  { $ref: reference }: JsonSchema,
  at: string,
  root: JsonSchema,
): string | null {
  if (reference === undefined) return null;
  return problemOf(value, definition(reference as string, root), at, root);
}

function problemOfValue(value: unknown, schema: JsonSchema, at: string): string | null {
  const { type, minimum = -Infinity, maximum = Infinity } = schema;
  const types = type === undefined ? [] : ([type].flat() as string[]);
  if (types.length > 0 && !types.includes(typeOf(value)) && !isWholeNumber(value, types)) {
    return `${at} must be ${types.join(' or ')}, got ${shown(value)}`;
  }
  const allowed = 'const' in schema ? [schema['const']] : (schema['enum'] as unknown[] | undefined);
  if (allowed !== undefined && !allowed.includes(value)) {
    return `${at} must be ${allowed.map((one) => JSON.stringify(one)).join(' or ')}, got ${shown(value)}`;
  }
  if (typeof value !== 'number') return null;
  if (value < (minimum as number)) return `${at} must be at least ${String(minimum)}, got ${value}`;
  if (value > (maximum as number)) return `${at} must be at most ${String(maximum)}, got ${value}`;
  return null;
}

function problemOfObject(
  value: unknown,
  schema: JsonSchema,
  at: string,
  root: JsonSchema,
): string | null {
  if (typeOf(value) !== 'object') return null;
  const given = value as Readonly<Record<string, unknown>>;
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonSchema>>;
  const missing = ((schema['required'] ?? []) as string[]).find(
    (name) => !Object.hasOwn(given, name),
  );
  if (missing !== undefined) return `${at} has no '${missing}'`;
  const others = schema['additionalProperties'];
  for (const [name, part] of Object.entries(given)) {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (known === undefined && others === false) return `${at} has '${name}', which is not known`;
    const partSchema = known ?? (typeof others === 'object' ? (others as JsonSchema) : {});
    const problem = problemOf(part, partSchema, at === 'the record' ? name : `${at}.${name}`, root);
    if (problem !== null) return problem;
  }
  return null;
}

function problemOfList(
  value: unknown,
  schema: JsonSchema,
  at: string,
  root: JsonSchema,
): string | null {
  if (!Array.isArray(value) || schema['items'] === undefined) return null;
  for (const [i, item] of value.entries()) {
    const problem = problemOf(item, schema['items'] as JsonSchema, `${at}[${i}]`, root);
    if (problem !== null) return problem;
  }
  return null;
}

/** `allOf`, and what follows from an `if`. */
function problemOfParts(
  value: unknown,
  schema: JsonSchema,
  at: string,
  root: JsonSchema,
): string | null {
  const { allOf = [], if: condition, then } = schema;
  for (const part of allOf as readonly JsonSchema[]) {
    const problem = problemOf(value, part, at, root);
    if (problem !== null) return problem;
  }
  if (condition === undefined || then === undefined) return null;
  if (problemOf(value, condition as JsonSchema, at, root) !== null) return null;
  return problemOf(value, then as JsonSchema, at, root);
}

/** `#/$defs/fitCell`. */
function definition(reference: string, root: JsonSchema): JsonSchema {
  const name = reference.replace('#/$defs/', '');
  const found = ((root['$defs'] ?? {}) as Readonly<Record<string, JsonSchema>>)[name];
  if (found === undefined) throw new Error(`The schema has no '${reference}'.`);
  return found;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function isWholeNumber(value: unknown, types: readonly string[]): boolean {
  return types.includes('integer') && Number.isSafeInteger(value);
}
