// The app as one file, as Encore's own bundler makes it (G-60): entry point from encore.gen/, packages
// external, test branches erased. Skipped when no input changed since the last time.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";

interface Inputs {
  version: 1;
  hashes: Record<string, string>;
}

const hashOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("base64");

function isCurrent(root: string, inputsFile: string, output: string): boolean {
  if (!existsSync(inputsFile) || !existsSync(output) || !existsSync(preloadFile(root))) return false;
  const saved = JSON.parse(readFileSync(inputsFile, "utf8")) as Inputs;
  if (saved.version !== 1) return false;
  return Object.entries(saved.hashes).every(([file, hash]) => {
    const path = join(root, file);
    return existsSync(path) && hashOf(path) === hash;
  });
}

/** A module that imports the packages of the bundle, so that they can be loaded while the database starts. */
export const preloadFile = (root: string): string => join(root, ".encore/build/combined/preload.mjs");

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

/**
 * Bundles the app's combined entry point.
 * @returns absolute path of the bundle
 * @throws BundleError with esbuild's messages, one a line, `file:line:column: text`
 */
export async function bundleApp(root: string): Promise<string> {
  const output = join(root, ".encore/build/combined/combined/main.mjs");
  const inputsFile = join(root, ".encore/build/combined/inputs.json");
  if (isCurrent(root, inputsFile, output)) return output;
  const { build, stop } = await import("esbuild");
  const result = await build({
    entryPoints: [join(root, "encore.gen/internal/entrypoints/combined/main.ts")],
    outfile: output,
    absWorkingDir: root,
    alias: { "~encore": join(root, "encore.gen") },
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    sourcemap: "linked",
    define: { ENCORE_DROP_TESTS: "true" },
    metafile: true,
    logLevel: "silent",
  }).catch(
    (failure: { errors?: { text: string; location?: { file: string; line: number; column: number } | null }[] }) => {
      if (!failure.errors) throw failure;
      const lines = failure.errors.map((e) =>
        e.location ? `${e.location.file}:${e.location.line}:${e.location.column + 1}: ${e.text}` : e.text,
      );
      throw new BundleError(lines.join("\n"), { cause: failure });
    },
  );
  await stop(); // esbuild's own process would stay for as long as the app
  const files = Object.keys(result.metafile.inputs).map((file) => relative(root, join(root, file)));
  const inputs: Inputs = {
    version: 1,
    hashes: Object.fromEntries(files.map((file) => [file, hashOf(join(root, file))])),
  };
  mkdirSync(dirname(inputsFile), { recursive: true });
  writeFileSync(preloadFile(root), preloadText(Object.values(result.metafile.outputs)));
  writeFileSync(inputsFile, JSON.stringify(inputs));
  return output;
}
