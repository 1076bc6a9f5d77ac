// The rule of examples: each public function has one. test/docs.test.ts runs them.

import { type ProjectReflection, ReflectionKind, type SignatureReflection } from 'typedoc';

/** Functions, and the functions of an object such as `schedules`; not the methods of classes. */
export function functionsWithoutExample(project: ProjectReflection): string[] {
  const signatures = project.getReflectionsByKind(
    ReflectionKind.CallSignature,
  ) as SignatureReflection[];
  return signatures
    .filter(isFunction)
    .filter(({ comment }) => comment?.getTag('@example') === undefined)
    .map((signature) => `${signature.parent.getFullName()}: a function without an @example.`);
}

function isFunction({ parent }: SignatureReflection): boolean {
  if (parent.kind === ReflectionKind.Function) return true;
  const object = parent.parent?.parent;
  return (
    parent.kindOf(ReflectionKind.Property | ReflectionKind.Method) &&
    object?.kind === ReflectionKind.Variable
  );
}
