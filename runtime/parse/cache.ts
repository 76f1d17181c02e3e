// A parse's outcome, kept until anything it depended on is different. Checking that asks the file system the parse's
// own questions again (contents, folder listings, presence), so it needs no compiler and cannot be stale.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { AppModel } from "../model";
import type { ParseOptions } from "./options";
import { unchanged, type Dependencies } from "./source/files";

/** To be raised with every change of what the same sources lead to. */
const FORMAT = 3;

interface Entry {
  parser: string;
  /** The app's folder. Dependencies are absolute, so in a copy of the folder they would still be those of the original. */
  root: string;
  /** As it was asked for; absent when the app's package.json decided. */
  extended?: boolean;
  /** Hash of the model, which is a file of its own that another process may be replacing. */
  model: string;
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
  const load = createRequire(import.meta.url);
  const versions = ["typescript", "libpg-query"].map(
    (name) => `${name} ${(load(`${name}/package.json`) as { version: string }).version}`,
  );
  return `${FORMAT} parser ${built} ${versions.join(" ")}`;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readEntry(root: string): Entry | undefined {
  try {
    return JSON.parse(readText(entryFile(root)) ?? "null") as Entry | undefined;
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
export function readParseCache(folder: string, { extended }: ParseOptions = {}): AppModel | undefined {
  const root = realpathSync(folder);
  const entry = readEntry(root);
  if (entry?.root !== root || entry.extended !== extended || entry.parser !== parserVersion()) return undefined;
  const model = readText(modelFile(root));
  if (model === undefined || hash(model) !== entry.model) return undefined;
  return unchanged(entry.dependencies) && generatedUnchanged(root, entry.generated)
    ? (JSON.parse(model) as AppModel)
    : undefined;
}

function replaceFile(path: string, contents: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}

interface Outcome {
  model: AppModel;
  dependencies: Dependencies;
  /** The files made from the model, relative to the app root. */
  generated: { path: string; contents: string }[];
}

/** Keeps a model. */
export function writeParseCache(
  folder: string,
  { model, dependencies, generated }: Outcome,
  { extended }: ParseOptions = {},
): void {
  const root = realpathSync(folder);
  const hashes = Object.fromEntries(generated.map(({ path, contents }) => [path, hash(contents)]));
  const text = JSON.stringify(model);
  const entry: Entry = {
    parser: parserVersion(),
    root,
    ...(extended !== undefined && { extended }),
    model: hash(text),
    dependencies,
    generated: hashes,
  };
  replaceFile(modelFile(root), text);
  replaceFile(entryFile(root), JSON.stringify(entry));
}
