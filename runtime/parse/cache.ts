// A parse's outcome, kept until anything it depended on is different. Checking that asks the file system the parse's
// own questions again (contents, folder listings, presence), so it needs no compiler and cannot be stale.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AppModel } from "../model";
import { unchanged, type Dependencies } from "./source/files";

/** To be raised with every change of what the same sources lead to. */
const FORMAT = 1;

interface Entry {
  parser: string;
  dependencies: Dependencies;
  /** Generated file (relative to the app root) → hash of its contents. */
  generated: Record<string, string>;
}

const hash = (text: string): string => createHash("sha1").update(text).digest("base64url");

const folderOf = (root: string): string => join(root, ".encore/groundwork");
const entryFile = (root: string): string => join(folderOf(root), "parse.json");

/** Where the model of an app is written; HostConfig.modelFile names it. */
export const modelFile = (root: string): string => join(folderOf(root), "model.json");

const here = dirname(fileURLToPath(import.meta.url));
/** This file is bundled into dist/ or dist/chunks/; under a test runner it is a source file. */
const dist = [here, dirname(here)].find((folder) => basename(folder) === "dist") ?? join(here, "../../dist");

/**
 * Changes whenever the parser or the compiler does. Readers and writers are different bundles, so it is the writer's;
 * its text names the chunks it uses by the hashes of their contents.
 */
function parserVersion(): string {
  const bundle = join(dist, "parse.js");
  const built = existsSync(bundle) ? hash(readFileSync(bundle, "utf8")) : "unbuilt";
  const { version } = createRequire(import.meta.url)("typescript/package.json") as { version: string };
  return `${FORMAT} parser ${built} typescript ${version}`;
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch {
    return undefined;
  }
}

function generatedUnchanged(root: string, generated: Entry["generated"]): boolean {
  return Object.entries(generated).every(([path, contents]) => {
    const file = join(root, path);
    return existsSync(file) && hash(readFileSync(file, "utf8")) === contents;
  });
}

/** The model of the app in `root`, if nothing that its parse depended on has changed since. */
export function readParseCache(folder: string): AppModel | undefined {
  const root = realpathSync(folder);
  const entry = readJson<Entry>(entryFile(root));
  if (entry?.parser !== parserVersion() || !unchanged(entry.dependencies) || !generatedUnchanged(root, entry.generated)) return undefined;
  return readJson<AppModel>(modelFile(root));
}

function replaceFile(path: string, contents: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

/** Keeps a model; `generated` are the files made from it, relative to the app root. */
export function writeParseCache(folder: string, model: AppModel, dependencies: Dependencies, generated: { path: string; contents: string }[]): void {
  const root = realpathSync(folder);
  const hashes = Object.fromEntries(generated.map(({ path, contents }) => [path, hash(contents)]));
  const entry: Entry = { parser: parserVersion(), dependencies, generated: hashes };
  replaceFile(modelFile(root), JSON.stringify(model));
  replaceFile(entryFile(root), JSON.stringify(entry));
}
