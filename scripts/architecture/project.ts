// The sources as the architecture rules see them: every file of the tree with its syntax tree and its
// imports, type imports included. Nothing is executed and nothing is type-checked, so a run takes seconds.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { importsOf, type Import } from "./imports";

export interface SourceFile {
  /** Relative to the project's root, with forward slashes. */
  path: string;
  text: string;
  ast: ts.SourceFile;
  imports: Import[];
}

export interface Project {
  root: string;
  sources: Map<string, SourceFile>;
  /** Every file that is not ignored, sources included, sorted. */
  files: string[];
  read(path: string): string | undefined;
}

/** One broken rule at one place; `line` counts from 1 and is 1 where a whole file is meant. */
export interface Violation {
  rule: string;
  file: string;
  line: number;
  message: string;
}

export interface Rule {
  name: string;
  /** One sentence: what holds when the rule finds nothing. */
  promise: string;
  check(project: Project): Violation[];
}

const SKIPPED_FOLDERS = new Set([
  "node_modules",
  "dist",
  "generated",
  "encore.gen",
  "coverage",
  "__arch_probes__",
  "parity",
  "fixtures",
]);
const SOURCE = /\.(ts|tsx|mts|mjs)$/;

function listFiles(root: string, folder: string, found: string[]): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isFile() && !entry.name.startsWith(".")) found.push(path);
    if (!entry.isDirectory() || SKIPPED_FOLDERS.has(entry.name) || entry.name.startsWith(".")) continue;
    listFiles(root, path, found);
  }
}

/** Reads the tree under `root`. Generated folders, recorded kits and dot folders are left out. */
export function loadProject(root: string): Project {
  const files: string[] = [];
  listFiles(root, "", files);
  files.sort();
  const known = new Set(files);
  const sources = new Map<string, SourceFile>();
  for (const path of files.filter((file) => SOURCE.test(file) && !file.endsWith(".d.ts"))) {
    const text = readFileSync(join(root, path), "utf8");
    const ast = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
    sources.set(path, { path, text, ast, imports: importsOf(ast, path, known) });
  }
  return {
    root,
    sources,
    files,
    read: (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined),
  };
}

/** Line of a node, counting from 1. */
export function lineOf(ast: ts.SourceFile, node: ts.Node): number {
  return ast.getLineAndCharacterOfPosition(node.getStart(ast)).line + 1;
}

/** Calls `visit` for every node of the file, parents before children. */
export function walk(ast: ts.SourceFile, visit: (node: ts.Node) => void): void {
  const step = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, step);
  };
  step(ast);
}

/** Tests and what only tests use; most rules are about what ships. */
export function isTest(path: string): boolean {
  return path === "testing.ts" || path.includes("__tests__/") || /\.test\.m?ts$/.test(path);
}
