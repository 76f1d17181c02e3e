// The app as one file, as Encore's own bundler makes it (G-60): entry point from encore.gen/, packages
// external but those of the workspace, test branches erased. Skipped when no input changed since the last time.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import type { BuildFailure, Metafile } from "esbuild";
import { installedFolder, namesOf, readManifest, workspacePackages, type ExternalPackage } from "./workspace-packages";

interface Inputs {
  version: 2;
  hashes: Record<string, string>;
  packages: ExternalPackage[];
}

const hashOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("base64");

const folderOf = (root: string): string => join(root, ".encore/build/combined");
const inputsFile = (root: string): string => join(folderOf(root), "inputs.json");

function readInputs(root: string): Inputs | undefined {
  if (!existsSync(inputsFile(root))) return undefined;
  const saved = JSON.parse(readFileSync(inputsFile(root), "utf8")) as Inputs;
  return (saved.version as number) === 2 ? saved : undefined;
}

function isCurrent(root: string, output: string): boolean {
  const saved = readInputs(root);
  if (!saved || !existsSync(output) || !existsSync(preloadFile(root))) return false;
  const samePackages = saved.packages.every(
    ({ name, version, folder, from }) =>
      installedFolder(name, from) === folder && readManifest(folder)?.version === version,
  );
  return (
    samePackages &&
    Object.entries(saved.hashes).every(([file, hash]) => {
      const path = join(root, file);
      return existsSync(path) && hashOf(path) === hash;
    })
  );
}

/** A module that imports the packages of the bundle, so that they can be loaded while the database starts. */
export const preloadFile = (root: string): string => join(folderOf(root), "preload.mjs");

/** Not encore.dev: loading it makes the runtime, which needs the databases' addresses. */
function preloadText(outputs: { imports: { path: string; kind: string; external?: boolean }[] }[]): string {
  const packages = outputs.flatMap((output) =>
    output.imports.filter((i) => i.external && i.kind === "import-statement").map((i) => i.path),
  );
  const loadable = [...new Set(packages)].filter((name) => !name.startsWith("encore.dev") && !isBuiltin(name)).sort();
  return loadable.map((name) => `import ${JSON.stringify(name)};\n`).join("");
}

export class BundleError extends Error {
  override name = "BundleError";
}

/** CommonJS of the workspace asks for packages by `require`, which a module does not have. */
const requireBanner = `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`;

interface Bundled {
  metafile: Metafile;
  packages: ExternalPackage[];
}

async function bundleOnce(root: string, output: string, names: Map<string, string>): Promise<Bundled> {
  const { build } = await import("esbuild");
  const externals = new Map<string, ExternalPackage>();
  const { metafile } = await build({
    entryPoints: [join(root, "encore.gen/internal/entrypoints/combined/main.ts")],
    outfile: output,
    absWorkingDir: root,
    alias: { "~encore": join(root, "encore.gen") },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    plugins: [workspacePackages(names, externals)],
    banner: { js: requireBanner },
    sourcemap: "linked",
    define: { ENCORE_DROP_TESTS: "true" },
    metafile: true,
    logLevel: "silent",
  }).catch((failure: Partial<BuildFailure>) => {
    if (!failure.errors) throw failure;
    const lines = failure.errors.map((e) =>
      e.location ? `${e.location.file}:${e.location.line}:${e.location.column + 1}: ${e.text}` : e.text,
    );
    throw new BundleError(lines.join("\n"), { cause: failure });
  });
  return { metafile, packages: [...externals.values()] };
}

/** Packages that the app does not find from its own folder, where Node looks for what the bundle imports. */
function linkPackages(root: string, packages: ExternalPackage[]): void {
  const modules = join(folderOf(root), "node_modules");
  rmSync(modules, { recursive: true, force: true });
  for (const { as, folder, version } of packages) {
    const own = installedFolder(as, root);
    if (own !== undefined && readManifest(own)?.version === version) continue;
    mkdirSync(dirname(join(modules, as)), { recursive: true });
    symlinkSync(folder, join(modules, as), "junction");
  }
}

/** The packages that the bundle imports, of the last time it was made. */
export const bundledImports = (root: string): ExternalPackage[] => readInputs(root)?.packages ?? [];

/** Folders beside the app's own whose sources are in the bundle, of the last time it was made: those of the workspace. */
export function bundledFoldersBeside(root: string): string[] {
  const files = Object.keys(readInputs(root)?.hashes ?? {}).filter((file) => file.startsWith("../"));
  return [...new Set(files.map((file) => dirname(join(root, file))))];
}

/**
 * Bundles the app's combined entry point.
 * @returns absolute path of the bundle
 * @throws BundleError with esbuild's messages, one a line, `file:line:column: text`
 */
export async function bundleApp(root: string): Promise<string> {
  const output = join(folderOf(root), "combined/main.mjs");
  if (isCurrent(root, output)) return output;
  let bundled = await bundleOnce(root, output, new Map());
  const names = namesOf(root, bundled.packages);
  if (names.size > 0) bundled = await bundleOnce(root, output, names);
  await (await import("esbuild")).stop(); // esbuild's own process would stay for as long as the app
  const { metafile, packages } = bundled;
  const files = Object.keys(metafile.inputs).map((file) => relative(root, join(root, file)));
  const inputs: Inputs = {
    version: 2,
    hashes: Object.fromEntries(files.map((file) => [file, hashOf(join(root, file))])),
    packages,
  };
  mkdirSync(folderOf(root), { recursive: true });
  linkPackages(root, packages);
  writeFileSync(preloadFile(root), preloadText(Object.values(metafile.outputs)));
  writeFileSync(inputsFile(root), JSON.stringify(inputs));
  return output;
}
