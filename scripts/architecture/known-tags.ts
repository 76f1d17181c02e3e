// The tags an endpoint may carry, read off the sources that give them a meaning: the permissions, the limits, and the
// few words of the guard. The architecture rule and `npm run gen` use the same list.
import ts from "typescript";
import { isTest, walk, type Project } from "./project";

/** A tag of your own that other code reads off `currentRequest().api.tags` is added here. */
const OTHER_TAGS = [
  "self",
  "caller",
  "public:*",
  "probe",
  "fresh",
  "own-proof",
  "cost:*",
  "idempotent",
  "cacheable",
  "development",
  "refuses:mcp",
  "refuses:openai",
];

function initialiserOf(project: Project, path: string, name: string): ts.Expression | undefined {
  const source = project.sources.get(path);
  let found: ts.Expression | undefined;
  if (source)
    walk(source.ast, (node) => {
      if (ts.isVariableDeclaration(node) && node.name.getText(source.ast) === name) found ??= node.initializer;
    });
  while (found && (ts.isAsExpression(found) || ts.isSatisfiesExpression(found))) found = found.expression;
  return found;
}

/** `permissions` of security/permissions.ts; undefined where a tree has none. */
export function permissionsOf(project: Project): string[] | undefined {
  const ofTenants = namesIn(project, "permissions");
  return ofTenants && [...ofTenants, ...(namesIn(project, "operatorPermissions") ?? [])];
}

function namesIn(project: Project, name: string): string[] | undefined {
  const list = initialiserOf(project, "security/permissions.ts", name);
  return list && ts.isArrayLiteralExpression(list)
    ? list.elements.filter(ts.isStringLiteralLike).map(({ text }) => text)
    : undefined;
}

/** The names in `limitPolicies` of security/limits.ts; undefined where a tree has none. */
export function limitsOf(project: Project): string[] | undefined {
  const table = initialiserOf(project, "security/limits.ts", "limitPolicies");
  return table && ts.isObjectLiteralExpression(table)
    ? table.properties.map((property) => property.name?.getText() ?? "")
    : undefined;
}

/** What rooms say whose it is of, by `declareOwner("thing", …)`. */
export function ownedThings(project: Project): string[] {
  const found = new Set<string>();
  for (const { path, ast, text } of project.sources.values()) {
    if (isTest(path) || !text.includes("declareOwner(")) continue;
    walk(ast, (node) => {
      if (!ts.isCallExpression(node) || node.expression.getText(ast) !== "declareOwner") return;
      const [thing] = node.arguments;
      if (thing && ts.isStringLiteralLike(thing)) found.add(thing.text);
    });
  }
  return [...found];
}

/** Permissions that code asks a caller for in words, `can(caller, "…")`, where one decides how much an answer shows. */
export function permissionsAsked(project: Project): string[] {
  const found = new Set<string>();
  for (const { path, ast, text } of project.sources.values()) {
    if (isTest(path) || /^(runtime|scripts|bench)\//.test(path) || !text.includes("can(")) continue;
    walk(ast, (node) => {
      if (!ts.isCallExpression(node) || node.expression.getText(ast) !== "can") return;
      const permission = node.arguments[1];
      if (permission !== undefined && ts.isStringLiteralLike(permission)) found.add(permission.text);
    });
  }
  return [...found];
}

/** Every tag that means something, sorted. */
export function knownTags(project: Project): string[] {
  return [
    ...ownedThings(project).map((thing) => `owns:${thing}`),
    ...permissionsAsked(project).map((name) => `shows:${name}`),
    ...(permissionsOf(project) ?? []).map((name) => `can:${name}`),
    ...(limitsOf(project) ?? []).map((name) => `limit:${name}`),
    ...OTHER_TAGS,
  ].sort();
}
