// Every use of a resource in every file that was read, in the file that declares it and in those that import it.
import { spotOf, type Modules, type SourceModule } from "../source/modules";
import { declaringScope, identifiersOf } from "../source/bindings";
import type { Diagnostics } from "../errors";
import { ts, type TypeScript } from "../typescript";
import type { Bind, Resource } from "../resources/resource";
import { usageOf, type UsageShape } from "./expressions";

export interface Use {
  shape: UsageShape;
  resource: Resource;
  module: SourceModule;
}

interface Scanned {
  bind: Bind;
  scope: TypeScript.Node;
}

type ByModule = Map<SourceModule, Bind[]>;

function importedBinds(
  module: SourceModule,
  node: TypeScript.ImportDeclaration,
  binds: Bind[],
  into: Map<string, Scanned>,
): void {
  const clause = node.importClause;
  const scope = module.file;
  const all = (local: TypeScript.Identifier): void => {
    for (const bind of binds) if (bind.name !== undefined) into.set(local.text, { bind, scope });
  };
  if (clause?.name) all(clause.name);
  const bindings = clause?.namedBindings;
  if (!bindings) return;
  if (ts.isNamespaceImport(bindings)) return all(bindings.name);
  for (const item of bindings.elements) {
    const bind = binds.find((candidate) => candidate.name === (item.propertyName ?? item.name).text);
    if (bind) into.set(item.name.text, { bind, scope });
  }
}

const UNRESOLVED_REMEDY = "Check the spelling, or install the package.";

/** The binds that an import leads to; reports an import that leads nowhere. */
function follow(
  module: SourceModule,
  node: TypeScript.ImportDeclaration,
  modules: Modules,
  byModule: ByModule,
  diagnostics: Diagnostics,
): Bind[] {
  if (!ts.isStringLiteral(node.moduleSpecifier)) return [];
  const specifier = node.moduleSpecifier.text;
  const found = modules.resolve(module, specifier);
  switch (found.kind) {
    case "missing": {
      const message = `unable to resolve module ${specifier}: ${found.reason}`;
      diagnostics.report(message, spotOf(node), { official: message, remedy: UNRESOLVED_REMEDY });
      return [];
    }
    case "clients":
      return byModule.get(modules.clients) ?? [];
    case "file": {
      const isOwn = !found.path.includes("/node_modules/");
      const target = isOwn ? diagnostics.attempt(() => modules.load(found.path)) : modules.loaded(found.path);
      return (target && byModule.get(target)) ?? [];
    }
    default:
      return [];
  }
}

const isTypeOnly = (node: TypeScript.ImportDeclaration): boolean => node.importClause?.isTypeOnly ?? false;

/** Names of a file that mean a resource. */
function scannedNames(
  module: SourceModule,
  modules: Modules,
  byModule: ByModule,
  diagnostics: Diagnostics,
): Map<string, Scanned> {
  const names = new Map<string, Scanned>();
  for (const statement of module.file.statements) {
    if (!ts.isImportDeclaration(statement) || isTypeOnly(statement)) continue;
    importedBinds(module, statement, follow(module, statement, modules, byModule, diagnostics), names);
  }
  for (const bind of byModule.get(module) ?? [])
    if (bind.id) names.set(bind.id.text, { bind, scope: declaringScope(bind.id) });
  return names;
}

const isDefinition = ({ node }: Bind, id: TypeScript.Identifier): boolean =>
  !!node &&
  node.getSourceFile() === id.getSourceFile() &&
  id.getStart() >= node.getStart() &&
  id.getEnd() <= node.getEnd();

export function findUses(binds: Bind[], sources: SourceModule[], modules: Modules, diagnostics: Diagnostics): Use[] {
  const byModule: ByModule = new Map();
  for (const bind of binds) byModule.set(bind.module, [...(byModule.get(bind.module) ?? []), bind]);
  return sources.flatMap((module) => {
    const names = scannedNames(module, modules, byModule, diagnostics);
    const scopes = new Map([...names].map(([name, { scope }]) => [name, scope]));
    return identifiersOf(module.file, scopes).flatMap((id): Use[] => {
      const scanned = names.get(id.text);
      if (!scanned || isDefinition(scanned.bind, id)) return [];
      const shape = usageOf(id);
      return shape ? [{ shape, resource: scanned.bind.resource, module }] : [];
    });
  });
}
