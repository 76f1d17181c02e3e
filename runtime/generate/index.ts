// Writes encore.gen/: what user code imports as `~encore/*`, and the entry point (section 2 of the contract).
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { AppModel } from "../model";
import { authFiles } from "./auth";
import { clientFiles } from "./clients";
import type { GeneratedFile } from "./code";
import { entrypointFiles } from "./entrypoints";
import { writeGeneratedFile } from "./write";

export { openapi } from "./openapi";

const HEADER = "// Generated from the app's sources: changes are overwritten.\n";

/** Every generated file with its contents, in a stable order. */
export function generatedFiles(model: AppModel): GeneratedFile[] {
  const files = [...clientFiles(model), ...authFiles(model), ...entrypointFiles(model)];
  return files.map(({ path, contents }) => ({ path, contents: HEADER + contents }));
}

function filesBelow(folder: string, prefix = ""): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = prefix + entry.name;
    return entry.isDirectory() ? filesBelow(join(folder, entry.name), `${path}/`) : [path];
  });
}

/** Writes encore.gen/ in `root`; files of services that are gone are removed, unchanged ones are left alone. */
export function writeGenerated(model: AppModel, root: string): void {
  const folder = join(root, "encore.gen");
  const files = generatedFiles(model);
  for (const { path, contents } of files) writeGeneratedFile(folder, path, contents);
  const kept = new Set(files.map((file) => file.path));
  for (const path of filesBelow(folder)) if (!kept.has(path)) rmSync(join(folder, path));
}
