// The rule of errors: who can throw says so in `@throws`, and names the class of each error it throws.
//
// Errors are looked for in the functions of this package that a call reaches, as far as the type checker can
// follow: an error that is made there counts as thrown, unless a `try` whose `catch` throws nothing is around it.
// Not seen: calls through an interface or of a function that was passed in, errors of TensorFlow.js and of
// WebGPU, and messages that come from a worker.

import ts from 'typescript';

const LIBRARY_ERRORS = ['TypeError', 'RangeError'];
/** Words that look like an error code; codes of one word, such as DISPOSED, do not. */
const CODE = /\b[A-Z]{2,}(?:_[A-Z0-9]+)+\b/g;

interface Found {
  readonly errors: ReadonlySet<string>;
  readonly calls: readonly ts.FunctionLikeDeclaration[];
}

interface PublicCall {
  readonly name: string;
  readonly declaration: ts.FunctionLikeDeclaration;
}

/** Each call of the modules `entryPoints`, but for constructors behind a factory, whose `@throws` lacks an error, or names a code that is not in `codes`. */
export function callsThatHideErrors(
  program: ts.Program,
  entryPoints: readonly string[],
  codes: readonly string[],
): string[] {
  const checker = program.getTypeChecker();
  const errors = new ReachableErrors(checker);
  const problems = new Set<string>();
  for (const { name, declaration } of publicCalls(program, entryPoints)) {
    const text = throwsText(declaration);
    for (const error of errors.of(declaration)) {
      if (!isNamed(error, text))
        problems.add(`${name}: throws ${error}, its @throws does not say so.`);
    }
    for (const [word] of text.matchAll(CODE)) {
      if (!codes.includes(word)) problems.add(`${name}: @throws names ${word}, which is no code.`);
    }
  }
  return [...problems];
}

/** A `SlowlaneError` may be named by its codes alone. */
function isNamed(error: string, text: string): boolean {
  if (LIBRARY_ERRORS.includes(error)) return text.includes(error);
  return text.includes(error) || text.search(CODE) !== -1;
}

function throwsText(declaration: ts.FunctionLikeDeclaration): string {
  return ts
    .getJSDocTags(holderOf(declaration))
    .filter(({ tagName }) => tagName.text === 'throws')
    .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? '')
    .join(' ');
}

/** A setter is described by its getter, a constructor by its class. */
function holderOf(declaration: ts.FunctionLikeDeclaration): ts.Node {
  if (ts.isConstructorDeclaration(declaration)) return declaration.parent;
  if (!ts.isSetAccessor(declaration)) return declaration;
  const name = declaration.name.getText();
  const members: readonly ts.Node[] = ts.isClassDeclaration(declaration.parent)
    ? declaration.parent.members
    : [];
  return (
    members.find((member) => ts.isGetAccessor(member) && member.name.getText() === name) ??
    declaration
  );
}

class ReachableErrors {
  readonly #checker: ts.TypeChecker;
  readonly #found = new Map<ts.Node, Found>();

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker;
  }

  of(start: ts.FunctionLikeDeclaration): Set<string> {
    const errors = new Set<string>();
    const seen = new Set<ts.Node>([start]);
    const waiting = [start];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const found = this.#in(next);
      for (const error of found.errors) errors.add(error);
      for (const call of found.calls.filter((one) => !seen.has(one))) {
        seen.add(call);
        waiting.push(call);
      }
    }
    return errors;
  }

  #in(declaration: ts.FunctionLikeDeclaration): Found {
    const known = this.#found.get(declaration);
    if (known !== undefined) return known;
    const errors = new Set<string>();
    const calls: ts.FunctionLikeDeclaration[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isTryStatement(node) && node.catchClause && !throwsAnything(node.catchClause)) {
        visit(node.catchClause);
        if (node.finallyBlock) visit(node.finallyBlock);
        return;
      }
      if (ts.isNewExpression(node))
        for (const name of this.#errorsMadeBy(node.expression)) errors.add(name);
      calls.push(...this.#callsOf(node));
      ts.forEachChild(node, visit);
    };
    ts.forEachChild(declaration, visit);
    const found = { errors, calls };
    this.#found.set(declaration, found);
    return found;
  }

  /** The class of `new expression`, if it is one of errors; each of them for `const kind = a ? B : C`. */
  #errorsMadeBy(expression: ts.Expression): string[] {
    if (ts.isParenthesizedExpression(expression)) return this.#errorsMadeBy(expression.expression);
    if (ts.isConditionalExpression(expression)) {
      return [expression.whenTrue, expression.whenFalse].flatMap((one) => this.#errorsMadeBy(one));
    }
    if (!ts.isIdentifier(expression)) return [];
    if (LIBRARY_ERRORS.includes(expression.text)) return [expression.text];
    const declaration = this.#declarationOf(expression);
    if (declaration === undefined) return [];
    if (ts.isVariableDeclaration(declaration) && declaration.initializer) {
      return this.#errorsMadeBy(declaration.initializer);
    }
    return ts.isClassDeclaration(declaration) && this.#isErrorClass(declaration)
      ? [expression.text]
      : [];
  }

  /** `SlowlaneError` and what extends it. A plain `Error` is a defect, and nobody's promise. */
  #isErrorClass(declaration: ts.ClassDeclaration): boolean {
    if (declaration.name?.text === 'SlowlaneError') return true;
    const extended = declaration.heritageClauses?.find(
      ({ token }) => token === ts.SyntaxKind.ExtendsKeyword,
    );
    const parent = extended?.types[0]?.expression;
    const above = parent && ts.isIdentifier(parent) ? this.#declarationOf(parent) : undefined;
    return above !== undefined && ts.isClassDeclaration(above) && this.#isErrorClass(above);
  }

  #callsOf(node: ts.Node): ts.FunctionLikeDeclaration[] {
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      return withBody([this.#checker.getResolvedSignature(node)?.declaration]);
    }
    if (!ts.isPropertyAccessExpression(node)) return [];
    const declarations = this.#checker.getSymbolAtLocation(node.name)?.declarations ?? [];
    return withBody(declarations.filter((one) => ts.isAccessor(one)));
  }

  #declarationOf(name: ts.Identifier): ts.Declaration | undefined {
    const symbol = this.#checker.getSymbolAtLocation(name);
    if (symbol === undefined) return undefined;
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    return (isAlias ? this.#checker.getAliasedSymbol(symbol) : symbol).declarations?.[0];
  }
}

function withBody(declarations: readonly (ts.Node | undefined)[]): ts.FunctionLikeDeclaration[] {
  return declarations.filter(
    (one): one is ts.FunctionLikeDeclaration =>
      one !== undefined && ts.isFunctionLike(one) && 'body' in one && one.body !== undefined,
  );
}

function throwsAnything(node: ts.Node): boolean {
  return ts.isThrowStatement(node) || ts.forEachChild(node, throwsAnything) === true;
}

function publicCalls(program: ts.Program, entryPoints: readonly string[]): PublicCall[] {
  const checker = program.getTypeChecker();
  return entryPoints.flatMap((file) => {
    const source = program.getSourceFile(file);
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${file} is no module of the program.`);
    return checker.getExportsOfModule(module).flatMap((symbol) => {
      const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
      const original = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
      return (original.declarations ?? []).flatMap((one) => callsIn(symbol.name, one));
    });
  });
}

function callsIn(name: string, declaration: ts.Declaration): PublicCall[] {
  if (ts.isFunctionDeclaration(declaration)) return [{ name, declaration }];
  if (ts.isVariableDeclaration(declaration) && declaration.initializer) {
    const { initializer } = declaration;
    if (!ts.isObjectLiteralExpression(initializer)) return [];
    return initializer.properties.flatMap((one) =>
      ts.isMethodDeclaration(one)
        ? [{ name: `${name}.${one.name.getText()}`, declaration: one }]
        : [],
    );
  }
  if (!ts.isClassDeclaration(declaration)) return [];
  const hasFactory = hasTag(declaration, 'hideconstructor');
  return declaration.members.filter(isPublic).flatMap((member) => {
    if (!ts.isFunctionLike(member) || !('body' in member)) return [];
    if (hasFactory && ts.isConstructorDeclaration(member)) return [];
    const of = ts.isConstructorDeclaration(member) ? 'constructor' : (member.name?.getText() ?? '');
    return [{ name: `${name}.${of}`, declaration: member }];
  });
}

function isPublic(member: ts.ClassElement): boolean {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  if ((ts.getCombinedModifierFlags(member) & hidden) !== 0) return false;
  if (member.name !== undefined && ts.isPrivateIdentifier(member.name)) return false;
  return !hasTag(member, 'internal');
}

function hasTag(node: ts.Node, name: string): boolean {
  return ts.getJSDocTags(node).some(({ tagName }) => tagName.text === name);
}
