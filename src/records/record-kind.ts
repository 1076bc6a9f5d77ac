// Reads a record of any kind, and says in words where it does not fit its JSON Schema.

import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';

import { shown } from '../checks/check.js';
import { SlowlaneError } from '../checks/errors.js';

type Entry = readonly [key: string, value: unknown];

/** A kind of records, with the entries by which one is recognized. */
export interface RecordKind {
  /** `a run (…)`, for a message. */
  readonly what: string;
  readonly schema: object;
  readonly mark: Entry;
  readonly version: Entry;
}

/**
 * @throws SlowlaneError DATA if `text` is not a record of this kind, has another version, or is damaged (with the
 * place).
 */
export function readRecord(text: string, { what, schema, mark, version }: RecordKind): unknown {
  const value = parsed(text);
  if (!has(value, mark)) throw new SlowlaneError('DATA', `This is no record of ${what}.`);
  if (!has(value, version)) {
    const found = shown((value as Readonly<Record<string, unknown>>)[version[0]]);
    throw new SlowlaneError(
      'DATA',
      `This record has version ${found}; this slowlane reads version ${shown(version[1])}. Use the one that wrote it, or a newer one.`,
    );
  }
  const problem = problemOf(value, schema);
  if (problem !== null) throw damaged(problem);
  return value;
}

export function damaged(problem: string): SlowlaneError {
  return new SlowlaneError('DATA', `This record is damaged: ${problem}.`);
}

/** Whether `text` is a record of this kind, of any version. A newer one may replace it. */
export function isRecord(text: string, { mark }: RecordKind): boolean {
  try {
    return has(JSON.parse(text), mark);
  } catch {
    return false;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SlowlaneError('DATA', 'It is not JSON.', {}, { cause });
  }
}

function has(record: unknown, [key, value]: Entry): boolean {
  return (record as Readonly<Record<string, unknown>> | null)?.[key] === value;
}

/** A keyword that JSON Schema does not have throws. Conditions may name properties that are defined elsewhere. */
const STRICT = { strict: true, strictTypes: false, strictRequired: false } as const;

/** What is wrong with `value` and where, as half a sentence; null if nothing is. */
export function problemOf(value: unknown, schema: object): string | null {
  const validate = compiled(schema);
  if (validate(value)) return null;
  const [first] = validate.errors ?? [];
  return first === undefined ? 'the record is not valid' : inWords(first);
}

const known = new WeakMap<object, ValidateFunction>();

function compiled(schema: object): ValidateFunction {
  const validate = known.get(schema) ?? new Ajv2020({ ...STRICT, verbose: true }).compile(schema);
  known.set(schema, validate);
  return validate;
}

function inWords({ keyword, params, instancePath, data, message }: ErrorObject): string {
  const at = placeOf(instancePath);
  switch (keyword) {
    case 'required':
      return `${at} has no '${String(params['missingProperty'])}'`;
    case 'additionalProperties':
      return `${at} has '${String(params['additionalProperty'])}', which is not known`;
    case 'type':
      return `${at} must be ${[params['type']].flat().join(' or ')}, got ${shown(data)}`;
    case 'const':
      return `${at} must be ${JSON.stringify(params['allowedValue'])}, got ${shown(data)}`;
    case 'enum':
      return `${at} must be ${allowed(params['allowedValues'])}, got ${shown(data)}`;
    case 'minimum':
      return `${at} must be at least ${String(params['limit'])}, got ${shown(data)}`;
    default:
      return `${at} ${message ?? `is against '${keyword}'`}, got ${shown(data)}`;
  }
}

function allowed(values: unknown): string {
  return (values as readonly unknown[]).map((one) => JSON.stringify(one)).join(' or ');
}

/** `cells[0].layers` of `/cells/0/layers`. */
function placeOf(pointer: string): string {
  if (pointer === '') return 'the record';
  const names = pointer.slice(1).split('/');
  const decoded = names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  return decoded.reduce((path, name) => {
    if (/^\d+$/.test(name)) return `${path}[${name}]`;
    return path === '' ? name : `${path}.${name}`;
  }, '');
}
