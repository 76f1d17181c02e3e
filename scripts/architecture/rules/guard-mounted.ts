// Whoever forgets the guard has endpoints without permissions, limits and headers, and nothing else says so. Every
// service is held to it, also one that exposes nothing yet. What the syntax tree does not show (a config made
// elsewhere, a wrapped or filtered guard) is refused: it may hold today and be gone tomorrow.
import ts from "typescript";
import { isTest, lineOf, walk, type Project, type Rule, type SourceFile, type Violation } from "../project";

const GUARD_FILE = "security/guard.ts";
const SERVICE_MODULE = "encore.dev/service";

/** Local names of what `exported` of a module is imported as. */
function localNames(source: SourceFile, isModule: (specifier: string) => boolean, exported: string): Set<string> {
  const names = new Set<string>();
  walk(source.ast, (node) => {
    if (!ts.isImportSpecifier(node) || (node.propertyName ?? node.name).text !== exported) return;
    const { moduleSpecifier } = node.parent.parent.parent;
    if (ts.isStringLiteral(moduleSpecifier) && isModule(moduleSpecifier.text)) names.add(node.name.text);
  });
  return names;
}

function guardNames(source: SourceFile): Set<string> {
  const fromGuard = (specifier: string): boolean =>
    source.imports.some((found) => found.specifier === specifier && found.target === GUARD_FILE && !found.typeOnly);
  return localNames(source, fromGuard, "guardOf");
}

/**
 * `guardOf("name")` itself, or an array literal that begins with all of it: what stands before it would run unguarded.
 * The name is the service's own: the check at the start goes by it.
 */
function isGuard(value: ts.Expression, guards: Set<string>, service: string): boolean {
  if (ts.isCallExpression(value)) {
    const [name, ...more] = value.arguments;
    const isOwn = name !== undefined && ts.isStringLiteral(name) && name.text === service && more.length === 0;
    return isOwn && ts.isIdentifier(value.expression) && guards.has(value.expression.text);
  }
  if (!ts.isArrayLiteralExpression(value)) return false;
  const [first] = value.elements;
  return first !== undefined && ts.isSpreadElement(first) && isGuard(first.expression, guards, service);
}

function complaint(declaration: ts.NewExpression, guards: Set<string>): string | undefined {
  const [name, config] = declaration.arguments ?? [];
  if (config === undefined) return "does not mount the guard";
  if (!ts.isObjectLiteralExpression(config)) return "has a config that is not written out";
  const written = config.properties.filter(ts.isPropertyAssignment);
  if (written.length !== config.properties.length) return "has a config that is not written out";
  const mounted = written.filter(({ name }) => ts.isIdentifier(name) && name.text === "middlewares");
  if (mounted.length === 0) return "does not mount the guard";
  const service = name !== undefined && ts.isStringLiteral(name) ? name.text : "";
  return mounted.every(({ initializer }) => isGuard(initializer, guards, service))
    ? undefined
    : "has middlewares that do not begin with the guard itself under the service's own name";
}

function checkFile(source: SourceFile): Violation[] {
  const report = (line: number, message: string): Violation => ({
    rule: "guard-mounted",
    file: source.path,
    line,
    message: `${message}: write \`new Service("name", { middlewares: guardOf("name") })\` with guardOf from ${GUARD_FILE}`,
  });
  const services = localNames(source, (specifier) => specifier === SERVICE_MODULE, "Service");
  const guards = guardNames(source);
  const found: Violation[] = [];
  let declared = 0;
  walk(source.ast, (node) => {
    if (!ts.isNewExpression(node) || !ts.isIdentifier(node.expression) || !services.has(node.expression.text)) return;
    declared++;
    const message = complaint(node, guards);
    if (message !== undefined) found.push(report(lineOf(source.ast, node), `the service ${message}`));
  });
  const usesService = source.imports.some(({ specifier, typeOnly }) => specifier === SERVICE_MODULE && !typeOnly);
  if (usesService && declared === 0) found.push(report(1, "declares its service in a way that is not seen"));
  return found;
}

function check(project: Project): Violation[] {
  return [...project.sources.values()]
    .filter(({ path }) => !isTest(path) && !/^(runtime|scripts|bench)\//.test(path))
    .flatMap(checkFile);
}

export const guardMounted: Rule = {
  name: "guard-mounted",
  promise: "every service mounts the guard, visibly",
  check,
};
