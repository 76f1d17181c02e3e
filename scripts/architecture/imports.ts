// Every way a file can name another one: static and dynamic imports, re-exports, `import("…")` types and
// require. Type imports count like others, because a type that points upwards binds the layers as well.
import { posix } from "node:path";
import ts from "typescript";

export interface Import {
  specifier: string;
  /** The imported file inside the project; absent for packages and generated modules. */
  target?: string;
  line: number;
  typeOnly: boolean;
}

const ENDINGS = ["", ".ts", ".tsx", ".mts", ".mjs", ".json", "/index.ts"];

function resolve(from: string, specifier: string, known: Set<string>): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const base = posix.normalize(posix.join(posix.dirname(from), specifier));
  const written = base.replace(/\.js$/, ".ts");
  return [...ENDINGS.map((ending) => base + ending), written].find((candidate) => known.has(candidate));
}

type Specifier = { text: string; typeOnly: boolean };

function ofDeclaration(node: ts.Node): Specifier | undefined {
  if (!ts.isImportDeclaration(node) && !ts.isExportDeclaration(node)) return undefined;
  if (!node.moduleSpecifier || !ts.isStringLiteral(node.moduleSpecifier)) return undefined;
  const typeOnly = ts.isImportDeclaration(node) ? isTypeOnlyClause(node.importClause) : node.isTypeOnly;
  return { text: node.moduleSpecifier.text, typeOnly };
}

function ofTypeNode(node: ts.Node): Specifier | undefined {
  if (!ts.isImportTypeNode(node) || !ts.isLiteralTypeNode(node.argument)) return undefined;
  return ts.isStringLiteral(node.argument.literal) ? { text: node.argument.literal.text, typeOnly: true } : undefined;
}

function ofCall(node: ts.Node): Specifier | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const [first] = node.arguments;
  const callee = node.expression;
  const loads = callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === "require");
  return loads && first && ts.isStringLiteralLike(first) ? { text: first.text, typeOnly: false } : undefined;
}

function isTypeOnlyClause(clause: ts.ImportClause | undefined): boolean {
  if (!clause) return false;
  if (clause.isTypeOnly) return true;
  const bindings = clause.namedBindings;
  if (clause.name || !bindings || !ts.isNamedImports(bindings)) return false;
  return bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly);
}

/** The imports of one file in the order they stand; `known` are the project's files. */
export function importsOf(ast: ts.SourceFile, path: string, known: Set<string>): Import[] {
  const found: Import[] = [];
  const step = (node: ts.Node): void => {
    const specifier = ofDeclaration(node) ?? ofTypeNode(node) ?? ofCall(node);
    if (specifier) {
      const line = ast.getLineAndCharacterOfPosition(node.getStart(ast)).line + 1;
      const target = resolve(path, specifier.text, known);
      found.push({ specifier: specifier.text, typeOnly: specifier.typeOnly, line, ...(target ? { target } : {}) });
    }
    ts.forEachChild(node, step);
  };
  step(ast);
  return found;
}
