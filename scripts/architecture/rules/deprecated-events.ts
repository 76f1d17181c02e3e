// Nobody emits a version of an event whose day is past: its consumers were told until when it comes. A definition is imported
// by its emitters only (consumers name events by their key), so whoever names it outside of the catalogue emits it.
import ts from "typescript";
import { isTest, lineOf, walk, type Project, type Rule, type SourceFile, type Violation } from "../project";

const CATALOG = "events/catalog/";

export interface Emission {
  file: string;
  line: number;
  /** The name of the definition. */
  name: string;
  /** YYYY-MM-DD. */
  until: string;
}

const propertyOf = (node: ts.Expression | undefined, name: string): ts.Expression | undefined =>
  node && ts.isObjectLiteralExpression(node)
    ? node.properties.filter(ts.isPropertyAssignment).find((each) => each.name.getText() === name)?.initializer
    : undefined;

/** The day after which a definition of the catalogue is not emitted any more, by its name. */
function endings({ ast }: SourceFile): Map<string, string> {
  const found = new Map<string, string>();
  walk(ast, (node) => {
    if (!ts.isVariableDeclaration(node) || !node.initializer || !ts.isCallExpression(node.initializer)) return;
    if (node.initializer.expression.getText() !== "defineEvent") return;
    const until = propertyOf(propertyOf(node.initializer.arguments[0], "deprecated"), "until");
    if (until && ts.isStringLiteralLike(until)) found.set(node.name.getText(), until.text);
  });
  return found;
}

/** Names that the file imports from a leaf of the catalogue, by what it calls them. */
function importedFrom({ ast }: SourceFile, leaf: string): Map<string, string> {
  const found = new Map<string, string>();
  walk(ast, (node) => {
    if (!ts.isImportSpecifier(node)) return;
    const module = (node.parent.parent.parent.moduleSpecifier as ts.StringLiteral).text;
    if (!module.endsWith(leaf) && !module.endsWith(`${leaf}.ts`)) return;
    found.set(node.name.text, (node.propertyName ?? node.name).text);
  });
  return found;
}

/** Where deprecated versions are emitted, whether their day is past or not. */
export function emissionsOfDeprecated(project: Project): Emission[] {
  const sources = [...project.sources.values()];
  return sources
    .filter(({ path }) => path.startsWith(CATALOG))
    .flatMap((leaf) => {
      const ends = endings(leaf);
      const name = leaf.path.replace(/\.ts$/, "").slice("events".length);
      return ends.size === 0 ? [] : sources.flatMap((source) => namedIn(source, importedFrom(source, name), ends));
    });
}

function namedIn(source: SourceFile, imported: Map<string, string>, ends: Map<string, string>): Emission[] {
  if (isTest(source.path) || source.path.startsWith(CATALOG)) return [];
  const found: Emission[] = [];
  walk(source.ast, (node) => {
    if (!ts.isIdentifier(node) || ts.isImportSpecifier(node.parent)) return;
    const name = imported.get(node.text);
    const until = name === undefined ? undefined : ends.get(name);
    if (name !== undefined && until !== undefined)
      found.push({ file: source.path, line: lineOf(source.ast, node), name, until });
  });
  return found;
}

function check(project: Project): Violation[] {
  const today = new Date().toISOString().slice(0, 10);
  return emissionsOfDeprecated(project)
    .filter(({ until }) => today > until)
    .map(({ file, line, name, until }) => ({
      rule: "deprecated-events",
      file,
      line,
      message: `emits ${name}, which ended on ${until}: emit its successor, or put the end off`,
    }));
}

export const deprecatedEvents: Rule = {
  name: "deprecated-events",
  promise: "no version of an event is emitted after the day that its deprecation names",
  check,
};
