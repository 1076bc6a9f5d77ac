// Checks a record against its JSON Schema, and says in words where it does not fit.

import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';

import { shown } from '../checks/check.js';

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
