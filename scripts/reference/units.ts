// The rule of units: a number of the public API says in its name or its description what it counts.

import {
  type DeclarationReflection,
  type ParameterReflection,
  type ProjectReflection,
  type Reflection,
  ReflectionKind,
  type SomeType,
} from 'typedoc';

const UNIT_IN_NAME = /(bytes|ms|seconds|percent|count)(per[A-Z]\w*)?$/i;
const UNIT_IN_TEXT = new RegExp(
  String.raw`\b(bytes?|ms|milliseconds?|seconds?|steps?|iterations?|syncs?|elements?|parameters?|weights|` +
    String.raw`tensors?|examples?|batch(es)?|micro-batch(es)?|layers?|threads?|chunks?|events?|moves?|` +
    String.raw`rows?|times|fraction|share|factor|ratio|version|index|number of|without a unit)\b` +
    String.raw`|[[(]-?\d[^\])]*, ?[\d∞]+[\])]`,
  'i',
);

/** What describes itself, and not the numbers in it. */
const DESCRIBED_APART = [
  ReflectionKind.Project,
  ReflectionKind.Module,
  ReflectionKind.Interface,
  ReflectionKind.Class,
  ReflectionKind.Variable,
];

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
  // A parameter, or a field of one, may be described where the function is.
  const owners: Reflection[] = [field, ...(getter ? [getter] : [])];
  const { parent } = field;
  if (parent?.kind === ReflectionKind.Interface && /^(Bytes|Milli)/.test(wordsOf(parent.comment))) {
    owners.push(parent); // one unit for all of its fields
  }
  for (let at = field.parent; at !== undefined && !at.kindOf(DESCRIBED_APART); at = at.parent) {
    owners.push(at);
  }
  return owners.map(({ comment }) => wordsOf(comment)).join(' ');
}

function wordsOf(comment: Reflection['comment']): string {
  if (comment === undefined) return '';
  const tags = comment.blockTags.flatMap((tag) => tag.content);
  return [...comment.summary, ...tags].map(({ text }) => text).join('');
}
