// config/ is the only reader of the environment, so that every variable has a type, a default and a place
// in the documentation. The host and the tools run before there is a configuration and read their own.
import ts from "typescript";
import { isTest, lineOf, walk, type Project, type Rule, type SourceFile } from "../project";

const ALLOWED = /^(config|runtime|scripts|bench)\/|^[\w.-]+\.config\.m?ts$|^[\w.-]+\.config\.mjs$/;

function readsEnvironment(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.name.text === "env" && node.expression.getText() === "process";
  if (ts.isElementAccessExpression(node))
    return node.expression.getText() === "process" && node.argumentExpression.getText().slice(1, -1) === "env";
  if (ts.isVariableDeclaration(node)) {
    if (node.initializer?.getText() !== "process" || !ts.isObjectBindingPattern(node.name)) return false;
    return node.name.elements.some((element) => (element.propertyName ?? element.name).getText() === "env");
  }
  if (ts.isImportSpecifier(node)) {
    const module = node.parent.parent.parent.moduleSpecifier.getText().slice(1, -1);
    return /^(node:)?process$/.test(module) && (node.propertyName ?? node.name).text === "env";
  }
  return false;
}

function linesOf(source: SourceFile): number[] {
  const lines: number[] = [];
  walk(source.ast, (node) => {
    if (readsEnvironment(node)) lines.push(lineOf(source.ast, node));
  });
  return lines;
}

function check(project: Project) {
  const shipped = [...project.sources.values()].filter(({ path }) => !isTest(path) && !ALLOWED.test(path));
  return shipped.flatMap((source) =>
    linesOf(source).map((line) => ({
      rule: "environment",
      file: source.path,
      line,
      message: "reads process.env: add the variable to config/schema.ts and read cfg",
    })),
  );
}

export const environment: Rule = {
  name: "environment",
  promise: "only config/ reads process.env (and the host and tools, for themselves)",
  check,
};
