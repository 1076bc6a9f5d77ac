// Records are described once, with TypeBox. From that come their TypeScript type, their check when they are read,
// and the JSON Schema in docs/ (`npm run schemas`).

import {
  type Static,
  type TObject,
  type TProperties,
  type TSchema,
  type TUnsafe,
  Type,
} from 'typebox';

/** The type of the values that `S` describes, read-only throughout. */
export type Described<S extends TSchema> = Immutable<Static<S>>;

type Immutable<T> = { readonly [K in keyof T]: Immutable<T[K]> };

/** An object with these properties and no others. Properties are required unless `Type.Optional`. */
export function object<P extends TProperties>(properties: P, description?: string): TObject<P> {
  return Type.Object(properties, { ...described(description), additionalProperties: false });
}

/** The same object, or null. One schema with two types, so that a problem inside it is named by its place. */
export function nullable<S extends TSchema & { readonly type: string }>(
  schema: S,
  description?: string,
): TUnsafe<Static<S> | null> {
  return Type.Unsafe({ ...schema, type: [schema.type, 'null'], ...described(description) });
}

/** A whole number ≥ 0. */
export const count = (description?: string) =>
  Type.Integer({ ...described(description), minimum: 0 });

/** A number ≥ 0. */
export const amount = (description?: string) =>
  Type.Number({ ...described(description), minimum: 0 });

export const text = (description?: string) => Type.String(described(description));

export const list = <S extends TSchema>(items: S, description?: string) =>
  Type.Array(items, described(description));

export interface RecordHead {
  /** The file in docs/ is `NAME.schema.json`. */
  readonly name: string;
  readonly version: number;
  readonly title: string;
  readonly description: string;
}

/** A whole record: what `docs/NAME.schema.json` publishes. */
export function recordSchema<P extends TProperties>(
  { name, version, title, description }: RecordHead,
  properties: P,
): TObject<P> & { readonly $id: string } {
  const head = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:slowlane:${name}:${version}`,
    title,
    description,
  };
  return { ...head, ...object(properties) };
}

function described(description: string | undefined): { description?: string } {
  return description === undefined ? {} : { description };
}
