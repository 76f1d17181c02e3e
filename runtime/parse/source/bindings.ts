// Which identifiers of a file mean a module-level name: shadowing by parameters and local variables is obeyed,
// property names and keys are not identifiers.
import { ts, type TypeScript } from "../typescript";
import { boundNames } from "./scope";

const localNames = new WeakMap<TypeScript.Node, Set<string>>();

const isPropertyName = (node: TypeScript.Identifier): boolean => {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isMetaProperty(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  if (ts.isExportSpecifier(parent)) return parent.propertyName !== undefined && parent.name === node;
  if (
    ts.isObjectLiteralElement(parent) ||
    ts.isClassElement(parent) ||
    ts.isTypeElement(parent) ||
    ts.isEnumMember(parent)
  ) {
    return parent.name === node && !ts.isShorthandPropertyAssignment(parent);
  }
  return ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent);
};

function collectVar(node: TypeScript.Node, names: Set<string>): void {
  if (ts.isFunctionLike(node) || ts.isClassLike(node)) return;
  if (ts.isVariableDeclarationList(node) && !(node.flags & ts.NodeFlags.BlockScoped)) {
    for (const declaration of node.declarations) for (const id of boundNames(declaration.name)) names.add(id.text);
  }
  ts.forEachChild(node, (child) => collectVar(child, names));
}

function addLexical(statements: readonly TypeScript.Statement[], names: Set<string>): void {
  for (const statement of statements) {
    if (ts.isVariableStatement(statement)) addList(statement.declarationList, names);
    else if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isEnumDeclaration(statement)
    ) {
      if (statement.name) names.add(statement.name.text);
    } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
      names.add(statement.name.text);
  }
}

function addList(list: TypeScript.Node | undefined, names: Set<string>): void {
  if (!list || !ts.isVariableDeclarationList(list)) return;
  for (const declaration of list.declarations) for (const id of boundNames(declaration.name)) names.add(id.text);
}

function addFunction(node: TypeScript.SignatureDeclaration, names: Set<string>): void {
  for (const parameter of node.parameters) for (const id of boundNames(parameter.name)) names.add(id.text);
  for (const parameter of node.typeParameters ?? []) names.add(parameter.name.text);
  if (ts.isFunctionExpression(node) && node.name) names.add(node.name.text);
  const body = (node as TypeScript.FunctionLikeDeclaration).body as TypeScript.Node | undefined;
  if (body) ts.forEachChild(body, (child) => collectVar(child, names));
}

/** Statements that stand in a block of their own. */
function blockStatements(node: TypeScript.Node): readonly TypeScript.Statement[] {
  if (ts.isBlock(node) || ts.isModuleBlock(node)) return node.statements;
  return ts.isCaseBlock(node) ? node.clauses.flatMap((clause) => [...clause.statements]) : [];
}

function addDeclared(node: TypeScript.Node, names: Set<string>): void {
  if (ts.isClassExpression(node) && node.name) names.add(node.name.text);
  if (!ts.isInterfaceDeclaration(node) && !ts.isTypeAliasDeclaration(node) && !ts.isClassLike(node)) return;
  for (const parameter of node.typeParameters ?? []) names.add(parameter.name.text);
}

function computeLocals(node: TypeScript.Node): Set<string> {
  const names = new Set<string>();
  addLexical(blockStatements(node), names);
  if (ts.isFunctionLike(node)) addFunction(node, names);
  else if (ts.isForStatement(node) || ts.isForInStatement(node) || ts.isForOfStatement(node))
    addList(node.initializer, names);
  else if (ts.isCatchClause(node) && node.variableDeclaration)
    for (const id of boundNames(node.variableDeclaration.name)) names.add(id.text);
  else addDeclared(node, names);
  return names;
}

function locals(node: TypeScript.Node): Set<string> {
  let names = localNames.get(node);
  if (!names) localNames.set(node, (names = computeLocals(node)));
  return names;
}

/** Types that a node declares for what stands in it. */
function declaresType(scope: TypeScript.Node, name: string): boolean {
  const declared = blockStatements(scope).some(
    (statement) => isTypeDeclaration(statement) && statement.name?.text === name,
  );
  const { typeParameters = [] } = scope as { typeParameters?: readonly TypeScript.Node[] };
  return (
    declared ||
    typeParameters.some((parameter) => ts.isTypeParameterDeclaration(parameter) && parameter.name.text === name)
  );
}

const isTypeDeclaration = (
  node: TypeScript.Statement,
): node is
  | TypeScript.InterfaceDeclaration
  | TypeScript.TypeAliasDeclaration
  | TypeScript.EnumDeclaration
  | TypeScript.ClassDeclaration =>
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isEnumDeclaration(node) ||
  ts.isClassDeclaration(node);

/** Whether a type of that name is declared around the identifier, so that it means nothing at the top of the file; variables do not count. */
export function isShadowedType(node: TypeScript.Identifier): boolean {
  for (let scope: TypeScript.Node = node.parent; !ts.isSourceFile(scope); scope = scope.parent)
    if (declaresType(scope, node.text)) return true;
  return false;
}

/** The same for a value. */
export function isShadowed(node: TypeScript.Identifier): boolean {
  for (let scope: TypeScript.Node = node.parent; !ts.isSourceFile(scope); scope = scope.parent) {
    if (locals(scope).has(node.text)) return true;
  }
  return false;
}

/** A declaration inside a function binds its name in that function: only that function's identifiers mean it. */
export function declaringScope(name: TypeScript.Identifier): TypeScript.Node {
  let scope: TypeScript.Node = name.parent;
  while (!ts.isSourceFile(scope) && !locals(scope).has(name.text)) scope = scope.parent;
  return scope;
}

function meansScope(node: TypeScript.Identifier, scope: TypeScript.Node): boolean {
  if (ts.isSourceFile(scope)) return !isShadowed(node);
  for (let at: TypeScript.Node = node.parent; !ts.isSourceFile(at); at = at.parent)
    if (locals(at).has(node.text)) return at === scope;
  return false;
}

/** Identifiers below `root`, in source order, outside import declarations, that mean a name bound in the given scope. */
export function identifiersOf(
  root: TypeScript.SourceFile,
  bound: ReadonlyMap<string, TypeScript.Node>,
): TypeScript.Identifier[] {
  const found: TypeScript.Identifier[] = [];
  const visit = (node: TypeScript.Node): void => {
    if (ts.isImportDeclaration(node)) return;
    if (ts.isIdentifier(node)) {
      const scope = bound.get(node.text);
      if (scope && !isPropertyName(node) && meansScope(node, scope)) found.push(node);
      return;
    }
    ts.forEachChild(node, visit);
  };
  if (bound.size) visit(root);
  return found;
}
