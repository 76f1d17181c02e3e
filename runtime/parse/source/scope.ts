// What a module (or namespace) declares, imports and exports, by name: the ground on which types are resolved.
// The first declaration of a name wins inside the module, the last exported one outside of it, as in Encore.
import { ts, type TypeScript } from "../typescript";

export type Declaration =
  | TypeScript.InterfaceDeclaration
  | TypeScript.TypeAliasDeclaration
  | TypeScript.EnumDeclaration
  | TypeScript.ClassDeclaration
  | TypeScript.FunctionDeclaration;

export type DeclaredKind =
  | { kind: "interface"; node: TypeScript.InterfaceDeclaration }
  | { kind: "alias"; node: TypeScript.TypeAliasDeclaration }
  | { kind: "enum"; node: TypeScript.EnumDeclaration }
  | { kind: "class"; node: TypeScript.ClassDeclaration }
  | { kind: "function"; node: TypeScript.FunctionDeclaration }
  | { kind: "variable"; node: TypeScript.VariableDeclaration; annotation: TypeScript.TypeNode | undefined }
  | { kind: "namespace"; node: TypeScript.ModuleDeclaration; scope: Scope }
  | { kind: "module"; node: TypeScript.SourceFile };

/** Something with a name; identity matters, so there is one per declaration. */
export type Declared = DeclaredKind & { name: string | undefined };

export interface ImportedName {
  node: TypeScript.Node;
  from: string;
  what: { kind: "named"; name: string } | { kind: "default" } | { kind: "namespace" };
}

export type Reexport =
  { kind: "all"; from: string } | { kind: "list"; from: string; items: { original: string; exported: string }[] };

export interface Scope {
  topLevel: Map<string, Declared>;
  imports: Map<string, ImportedName>;
  exports: Map<string, Declared>;
  defaultExport: Declared | undefined;
  reexports: Reexport[];
}

const emptyScope = (): Scope => ({
  topLevel: new Map(),
  imports: new Map(),
  exports: new Map(),
  defaultExport: undefined,
  reexports: [],
});

/** Identifiers that a binding pattern introduces, outermost first. */
export function boundNames(name: TypeScript.BindingName): TypeScript.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}

function hasModifier(node: TypeScript.Node, kind: TypeScript.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false);
}

function variables(list: TypeScript.VariableDeclarationList): Declared[] {
  return list.declarations.flatMap((node) =>
    boundNames(node.name).map((id): Declared => ({
      kind: "variable",
      name: id.text,
      node,
      annotation: id === node.name ? node.type : undefined,
    })),
  );
}

function namespace(node: TypeScript.ModuleDeclaration): Declared[] {
  if (!ts.isIdentifier(node.name)) return [];
  const scope = namespaceScope(node.body);
  return [{ kind: "namespace", name: node.name.text, node, scope }];
}

function namespaceScope(body: TypeScript.ModuleDeclaration["body"]): Scope {
  if (!body) return emptyScope();
  if (ts.isModuleBlock(body)) return declarationsOf(body.statements);
  const scope = emptyScope();
  if (ts.isModuleDeclaration(body)) for (const inner of namespace(body)) scope.topLevel.set(inner.name ?? "", inner);
  return scope;
}

function declaredBy(statement: TypeScript.Statement): Declared[] {
  if (ts.isVariableStatement(statement)) return variables(statement.declarationList);
  if (ts.isInterfaceDeclaration(statement)) return [{ kind: "interface", name: statement.name.text, node: statement }];
  if (ts.isTypeAliasDeclaration(statement)) return [{ kind: "alias", name: statement.name.text, node: statement }];
  if (ts.isEnumDeclaration(statement)) return [{ kind: "enum", name: statement.name.text, node: statement }];
  if (ts.isClassDeclaration(statement)) return [{ kind: "class", name: statement.name?.text, node: statement }];
  if (ts.isFunctionDeclaration(statement)) return [{ kind: "function", name: statement.name?.text, node: statement }];
  if (ts.isModuleDeclaration(statement)) return namespace(statement);
  return [];
}

function addDeclarations(scope: Scope, statement: TypeScript.Statement): void {
  if (ts.isBlock(statement)) {
    for (const inner of statement.statements) addDeclarations(scope, inner);
    return;
  }
  const isDefault = hasModifier(statement, ts.SyntaxKind.DefaultKeyword);
  const exported = hasModifier(statement, ts.SyntaxKind.ExportKeyword);
  for (const declared of declaredBy(statement)) {
    if (isDefault) {
      scope.defaultExport = declared;
      continue;
    }
    if (declared.name === undefined) continue;
    if (!scope.topLevel.has(declared.name)) scope.topLevel.set(declared.name, declared);
    if (exported) scope.exports.set(declared.name, declared);
  }
}

function addImports(scope: Scope, node: TypeScript.ImportDeclaration): void {
  const { importClause: clause } = node;
  if (!clause || !ts.isStringLiteral(node.moduleSpecifier)) return;
  const from = node.moduleSpecifier.text;
  const add = (local: TypeScript.Identifier, at: TypeScript.Node, what: ImportedName["what"]): void => {
    if (!scope.imports.has(local.text)) scope.imports.set(local.text, { node: at, from, what });
  };
  if (clause.name) add(clause.name, clause.name, { kind: "default" });
  const bindings = clause.namedBindings;
  if (!bindings) return;
  if (ts.isNamespaceImport(bindings)) add(bindings.name, bindings, { kind: "namespace" });
  else
    for (const item of bindings.elements)
      add(item.name, item, { kind: "named", name: (item.propertyName ?? item.name).text });
}

function addReexport(scope: Scope, node: TypeScript.ExportDeclaration): void {
  const { moduleSpecifier: source, exportClause: clause } = node;
  if (!source || !ts.isStringLiteral(source)) return;
  if (!clause) scope.reexports.push({ kind: "all", from: source.text });
  else if (ts.isNamedExports(clause)) {
    const items = clause.elements.map((item) => ({
      original: (item.propertyName ?? item.name).text,
      exported: item.name.text,
    }));
    scope.reexports.push({ kind: "list", from: source.text, items });
  }
}

/** `export { a, b as c }` without a source: own declarations, or imports passed on. */
function addLocalExports(scope: Scope, node: TypeScript.ExportDeclaration): void {
  const { exportClause: clause } = node;
  if (node.moduleSpecifier || !clause || !ts.isNamedExports(clause)) return;
  for (const item of clause.elements) {
    const original = (item.propertyName ?? item.name).text;
    const exported = item.name.text;
    const own = scope.topLevel.get(original);
    if (own) scope.exports.set(exported, own);
    for (const imported of own ? [] : scope.imports.values()) {
      if (imported.what.kind !== "named" || imported.what.name !== original) continue;
      scope.reexports.push({ kind: "list", from: imported.from, items: [{ original, exported }] });
      break;
    }
  }
}

export function declarationsOf(statements: readonly TypeScript.Statement[]): Scope {
  const scope = emptyScope();
  const exportLists: TypeScript.ExportDeclaration[] = [];
  for (const statement of statements) {
    if (ts.isImportDeclaration(statement)) addImports(scope, statement);
    else if (ts.isExportDeclaration(statement)) {
      addReexport(scope, statement);
      exportLists.push(statement);
    } else addDeclarations(scope, statement);
  }
  for (const list of exportLists) addLocalExports(scope, list);
  return scope;
}
