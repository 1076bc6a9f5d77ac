// The rule of units: a number of the public API says in its name or its description what it counts.

import {
  type DeclarationReflection,
  type ParameterReflection,
  type ProjectReflection,
  type Reflection,
  ReflectionKind,
  type SomeType,
} from 'typedoc';

const UNIT_IN_NAME = /(bytes|ms|seconds|perSecond|percent|count)$/i;
const UNIT_IN_TEXT = new RegExp(
  String.raw`\b(bytes?|ms|milliseconds?|seconds?|steps?|iterations?|syncs?|elements?|parameters?|weights|` +
    String.raw`tensors?|examples?|batch(es)?|micro-batch(es)?|layers?|threads?|chunks?|events?|moves?|` +
    String.raw`rows?|times|fraction|share|factor|ratio|version|index|number of|without a unit)\b` +
    String.raw`|[[(]-?\d[^\])]*, ?[\d∞]+[\])]`,
  'i',
);

/** Each number of the API that says neither in its name nor in its text what it counts. */
export function numbersWithoutUnit(project: ProjectReflection): string[] {
  const fields = project.getReflectionsByKind(
    ReflectionKind.Property | ReflectionKind.Parameter | ReflectionKind.Accessor,
  ) as (DeclarationReflection | ParameterReflection)[];
  return fields
    .filter((field) => isNumber(typeOf(field)))
    .filter((field) => !UNIT_IN_NAME.test(field.name) && !UNIT_IN_TEXT.test(textOf(field)))
    .map((field) => `${field.getFullName()}: a number without its unit.`);
}

function typeOf(field: DeclarationReflection | ParameterReflection): SomeType | undefined {
  return 'getSignature' in field && field.getSignature ? field.getSignature.type : field.type;
}

/** `number`, or a choice of which one is. */
function isNumber(type: SomeType | undefined): boolean {
  if (type?.type === 'union') return type.types.some(isNumber);
  if (type?.type === 'array') return isNumber(type.elementType);
  if (type?.type === 'typeOperator') return isNumber(type.target);
  return type?.type === 'intrinsic' && type.name === 'number';
}

function textOf(field: DeclarationReflection | ParameterReflection): string {
  const getter = 'getSignature' in field ? field.getSignature : undefined;
  // A callback's parameter has no comment: what it is stands where the callback is described.
  const owners: Reflection[] = [field, ...(getter ? [getter] : [])];
  for (let at: Reflection | undefined = field.parent; at && owners.length < 6; at = at.parent) {
    if (field.kind === ReflectionKind.Parameter || at.kind === ReflectionKind.TypeLiteral) {
      owners.push(at);
      if (at.kind === ReflectionKind.Method || at.kind === ReflectionKind.Function) break;
    }
  }
  return owners.map(({ comment }) => wordsOf(comment)).join(' ');
}

function wordsOf(comment: Reflection['comment']): string {
  if (comment === undefined) return '';
  const tags = comment.blockTags.flatMap((tag) => tag.content);
  return [...comment.summary, ...tags].map(({ text }) => text).join('');
}
