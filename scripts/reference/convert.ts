// The public API as TypeDoc sees it.

import {
  Application,
  type Configuration,
  Logger,
  LogLevel,
  type ProjectReflection,
  ReflectionKind,
} from 'typedoc';

export interface ConvertedApi {
  readonly app: Application;
  readonly project: ProjectReflection;
  /** Warnings of TypeDoc: names without a description, types that are not exported, broken links. */
  readonly warnings: readonly string[];
}

class WarningList extends Logger {
  readonly lines: string[] = [];

  override log(message: string, level: LogLevel): void {
    if (level >= LogLevel.Warn) this.lines.push(message);
  }
}

/**
 * Converts the modules `entryPoints` of the project `tsconfig`. Types called `notExported` need not be.
 *
 * @throws Error with TypeDoc's messages if the project does not compile.
 */
export async function convertApi(
  entryPoints: readonly string[],
  tsconfig: string,
  notExported: readonly string[] = [],
): Promise<ConvertedApi> {
  const app = await Application.bootstrapWithPlugins({
    name: 'slowlane',
    entryPoints: [...entryPoints],
    tsconfig,
    plugin: ['typedoc-plugin-markdown'],
    readme: 'none',
    disableSources: true,
    disableGit: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeInternal: true,
    excludeExternals: true,
    skipErrorChecking: true, // tsc checks types
    intentionallyNotExported: [...notExported],
    requiredToBeDocumented: DOCUMENTED_KINDS,
    validation: { notDocumented: true, notExported: true, invalidLink: true },
    // One page an entry point.
    ...({
      router: 'module',
      hideBreadcrumbs: true,
      hidePageHeader: true,
      useCodeBlocks: false,
      parametersFormat: 'table',
      interfacePropertiesFormat: 'table',
      typeDeclarationFormat: 'table',
      expandParameters: true,
    } as Partial<Configuration.TypeDocOptions>),
  });
  const logger = new WarningList();
  app.logger = logger;
  const project = await app.convert();
  if (project === undefined) throw new Error(logger.lines.join('\n'));
  removeInherited(project);
  app.validate(project);
  return { app, project, warnings: logger.lines };
}

const DOCUMENTED_KINDS: NonNullable<Configuration.TypeDocOptions['requiredToBeDocumented']> = [
  'Variable',
  'Function',
  'Class',
  'Interface',
  'Property',
  'Method',
  'Accessor',
  'TypeAlias',
];

/** A member is described once, where it is declared, if that class or interface is public. */
function removeInherited(project: ProjectReflection): void {
  const inherited = project
    .getReflectionsByKind(ReflectionKind.Property | ReflectionKind.Method | ReflectionKind.Accessor)
    .filter((member) => member.isDeclaration() && member.inheritedFrom?.reflection !== undefined);
  for (const member of inherited) project.removeReflection(member);
  // The groups of members were made before.
  for (const owner of project.getReflectionsByKind(ReflectionKind.Class)) {
    if (!owner.isDeclaration() || owner.groups === undefined) continue;
    for (const group of owner.groups) {
      group.children = group.children.filter(({ id }) => project.getReflectionById(id));
    }
    owner.groups = owner.groups.filter(({ children }) => children.length > 0);
  }
}
