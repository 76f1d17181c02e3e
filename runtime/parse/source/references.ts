// Finds where an app uses what it imports from `encore.dev/*`: the call or `new` around every reference to an
// imported name (L-12: named imports of the exact specifier only), and the variable that it is bound to.
import { Refusal } from "../errors";
import { spotOf, type SourceModule } from "./modules";
import { identifiersOf } from "./bindings";
import { ts, type TypeScript } from "../typescript";

export type BindName = { kind: "named"; id: TypeScript.Identifier } | { kind: "default" } | { kind: "anonymous" };

export interface Reference {
  /** The identifier itself, under its local name. */
  id: TypeScript.Identifier;
  /** The name it has in the package. */
  imported: string;
}

function trackedLocals(module: SourceModule, specifier: string, names: readonly string[]): Map<string, string> {
  const locals = new Map<string, string>();
  for (const statement of module.file.statements) {
    if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue;
    const bindings = statement.importClause?.namedBindings;
    if (statement.moduleSpecifier.text !== specifier || !bindings || !ts.isNamedImports(bindings)) continue;
    for (const item of bindings.elements) {
      const imported = item.propertyName ?? item.name;
      const original = imported.text;
      if (ts.isIdentifier(imported) && names.includes(original)) locals.set(item.name.text, original);
    }
  }
  return locals;
}

/** References to the given names of a package, in source order. */
export function referencesTo(module: SourceModule, specifier: string, names: readonly string[]): Reference[] {
  const locals = trackedLocals(module, specifier, names);
  const bound = new Map([...locals.keys()].map((name) => [name, module.file]));
  return identifiersOf(module.file, bound).map((id) => ({ id, imported: locals.get(id.text) ?? id.text }));
}

function climb<T extends TypeScript.Node>(
  id: TypeScript.Node,
  pick: (parent: TypeScript.Node, child: TypeScript.Node) => T | undefined,
): T | undefined {
  for (let child = id; !ts.isSourceFile(child.parent); child = child.parent) {
    const found = pick(child.parent, child);
    if (found) return found;
  }
  return undefined;
}

/** The innermost call in whose callee the identifier stands. */
export const enclosingCall = (id: TypeScript.Node): TypeScript.CallExpression | undefined =>
  climb(id, (parent, child) =>
    ts.isCallExpression(parent) && parent.expression === child && !ts.isCallChain(parent) ? parent : undefined,
  );

/** The innermost `new` in whose callee the identifier stands. */
export const enclosingNew = (id: TypeScript.Node): TypeScript.NewExpression | undefined =>
  climb(id, (parent, child) => (ts.isNewExpression(parent) && parent.expression === child ? parent : undefined));

/** `X.named("…")` around the identifier. */
export function enclosingNamed(id: TypeScript.Identifier): TypeScript.CallExpression | undefined {
  const access = id.parent;
  if (!ts.isPropertyAccessExpression(access) || access.expression !== id || access.name.text !== "named")
    return undefined;
  const call = access.parent;
  return ts.isCallExpression(call) && call.expression === access && !ts.isCallChain(call) ? call : undefined;
}

const isUsing = (list: TypeScript.Node): boolean => (list.flags & ts.NodeFlags.Using) !== 0;

/** The variable whose declaration the node stands in, however deep. @throws Refusal for a destructuring */
export function boundVariable(node: TypeScript.Node): TypeScript.Identifier | undefined {
  const declaration = climb(node, (parent) =>
    ts.isVariableDeclaration(parent) && !isUsing(parent.parent) && ts.isVariableDeclarationList(parent.parent)
      ? parent
      : undefined,
  );
  if (!declaration) return undefined;
  if (ts.isIdentifier(declaration.name)) return declaration.name;
  throw new Refusal("expected identifier as bind name", spotOf(declaration.name), {
    remedy: "Bind it to a plain variable.",
  });
}

export function bindName(node: TypeScript.Expression): BindName {
  const id = boundVariable(node);
  if (id) return { kind: "named", id };
  return isDefaultExport(node) ? { kind: "default" } : { kind: "anonymous" };
}

export function isDefaultExport(node: TypeScript.Node): boolean {
  return ts.isExportAssignment(node.parent) && !node.parent.isExportEquals && node.parent.expression === node;
}
