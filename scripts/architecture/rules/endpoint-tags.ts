// Every exposed endpoint says who may call it, on its declaration: `can:<resource>.<action>`, `self` or
// `public:<reason>`, exactly one. The guard denies by default; this test makes the omission visible earlier.
import ts from "typescript";
import { knownTags, limitsOf, ownedThings, permissionsAsked, permissionsOf } from "../known-tags";
import { isTest, lineOf, walk, type Project, type Rule, type SourceFile, type Violation } from "../project";

export interface ExposedEndpoint {
  file: string;
  line: number;
  name: string;
  tags: string[];
}

const ACCESS_TAG = /^(can:(?:operator\.)?[a-z][a-z_]*\.[a-z][a-z_]*|self|caller|public:[a-z][a-z0-9 _-]*)$/;
const COST_TAG = /^cost:(?:[1-9]\d{0,2}|1000)$/;
const ACCESS_LIKE = /^(can|self|caller|public)(:|$)/;

function apiNames(source: SourceFile): Set<string> {
  const names = new Set<string>();
  walk(source.ast, (node) => {
    if (!ts.isImportSpecifier(node) || (node.propertyName ?? node.name).text !== "api") return;
    if (node.parent.parent.parent.moduleSpecifier.getText().slice(1, -1) === "encore.dev/api")
      names.add(node.name.text);
  });
  return names;
}

function property(object: ts.ObjectLiteralExpression, name: string): ts.Expression | undefined {
  const found = object.properties.find((entry) => entry.name?.getText() === name);
  return found && ts.isPropertyAssignment(found) ? found.initializer : undefined;
}

/** The exposed endpoints a file declares; Encore accepts literals only, so the syntax tree says everything. */
export function exposedEndpoints(source: SourceFile): ExposedEndpoint[] {
  const names = apiNames(source);
  const found: ExposedEndpoint[] = [];
  if (names.size === 0) return found;
  walk(source.ast, (node) => {
    if (!ts.isCallExpression(node)) return;
    const callee = ts.isPropertyAccessExpression(node.expression) ? node.expression.expression : node.expression;
    const [options] = node.arguments;
    if (!ts.isIdentifier(callee) || !names.has(callee.text) || !options || !ts.isObjectLiteralExpression(options))
      return;
    if (property(options, "expose")?.kind !== ts.SyntaxKind.TrueKeyword) return;
    const tags = property(options, "tags");
    found.push({
      file: source.path,
      line: lineOf(source.ast, node),
      name: ts.isVariableDeclaration(node.parent) ? node.parent.name.getText() : "(unnamed)",
      tags:
        tags && ts.isArrayLiteralExpression(tags)
          ? tags.elements.filter(ts.isStringLiteralLike).map(({ text }) => text)
          : [],
    });
  });
  return found;
}

/** A name behind `prefix` that the catalogue does not have; undefined when all are known, or there is no catalogue. */
function unknownOf(tags: string[], prefix: string, catalogue: string[] | undefined): string | undefined {
  const named = tags.filter((tag) => tag.startsWith(prefix)).map((tag) => tag.slice(prefix.length));
  return catalogue && named.find((name) => !catalogue.includes(name));
}

function misspelled({ tags }: ExposedEndpoint, project: Project): string | undefined {
  const permission = unknownOf(tags, "can:", permissionsOf(project));
  if (permission !== undefined)
    return `asks for ${permission}, which is no permission of security/permissions.ts: the guard would answer 403 to everybody`;
  const named = tags.filter((tag) => tag.startsWith("limit:"));
  if (named.length > 1)
    return `names ${named.length} limits (${named.join(", ")}), of which one decides: the guard would answer 403 to everybody`;
  const costs = tags.filter((tag) => tag.startsWith("cost:"));
  if (costs.length > 1 || costs.some((tag) => !COST_TAG.test(tag)))
    return `has ${costs.join(", ")}, which is not one number from 1 to 1000: the guard would answer 403 to everybody`;
  const limit = unknownOf(tags, "limit:", limitsOf(project));
  const shown = tags.some((tag) => tag.startsWith("shows:"))
    ? unknownOf(tags, "shows:", permissionsAsked(project))
    : undefined;
  if (shown !== undefined)
    return `shows more to who has ${shown}, for which no code asks: can(caller, "${shown}") decides, or nothing does`;
  const thing = unknownOf(tags, "owns:", ownedThings(project));
  if (thing !== undefined)
    return `is for owners of a ${thing}, of which nobody says whose it is: add declareOwner("${thing}", …), or the guard answers 403 to everybody`;
  return limit === undefined
    ? undefined
    : `names the limit ${limit}, which security/limits.ts does not have: the guard would answer 403 to everybody`;
}

function complaint({ tags }: ExposedEndpoint): string | undefined {
  const access = tags.filter((tag) => ACCESS_LIKE.test(tag));
  if (access.length === 0) return "has no access tag: add can:<resource>.<action>, self, caller or public:<reason>";
  if (access.length > 1) return `has ${access.length} access tags (${access.join(", ")}): exactly one decides`;
  return access.every((tag) => ACCESS_TAG.test(tag))
    ? undefined
    : `has an access tag the guard does not know: ${access.join(", ")}`;
}

/** The host refuses what is not on this list, so a list that is behind would refuse what is right. */
function staleList(project: Project): Violation[] {
  const file = "security/endpoint-tags.json";
  const text = project.read(file);
  if (text === undefined || JSON.stringify(JSON.parse(text)) === JSON.stringify(knownTags(project))) return [];
  return [{ rule: "endpoint-tags", file, line: 1, message: "is not what the sources say: run `npm run gen`" }];
}

/**
 * A permission that no endpoint names is a promise that nobody keeps: roles are made of it, and it opens nothing. One that decides
 * how much an answer shows stands at the endpoint too, where who reads the declaration sees it.
 */
function unused(project: Project, endpoints: readonly ExposedEndpoint[]): Violation[] {
  const tags = new Set(endpoints.flatMap((endpoint) => endpoint.tags));
  return (permissionsOf(project) ?? [])
    .filter((permission) => !tags.has(`can:${permission}`) && !tags.has(`shows:${permission}`))
    .map((permission) => ({
      rule: "endpoint-tags",
      file: "security/permissions.ts",
      line: 1,
      message: `no endpoint asks for the permission ${permission}: tag one with can:${permission}, with shows:${permission} where it decides how much is told, or take it away`,
    }));
}

function check(project: Project): Violation[] {
  const shipped = [...project.sources.values()].filter(
    ({ path }) => !isTest(path) && !/^(runtime|scripts|bench)\//.test(path),
  );
  const endpoints = shipped.flatMap(exposedEndpoints);
  const wrong = endpoints.flatMap((endpoint) => {
    const message = complaint(endpoint) ?? misspelled(endpoint, project);
    return message === undefined
      ? []
      : [
          {
            rule: "endpoint-tags",
            file: endpoint.file,
            line: endpoint.line,
            message: `endpoint ${endpoint.name} ${message}`,
          },
        ];
  });
  return [...wrong, ...unused(project, endpoints), ...staleList(project)];
}

export const endpointTags: Rule = {
  name: "endpoint-tags",
  promise: "every exposed endpoint says who may call it, and every permission opens one",
  check,
};
