// Which packages a built app needs: those its bundles import, as esbuild sees them, and those the app itself declares
// (a package may be loaded by a name that no bundler sees). Versions are the installed ones.
import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join } from "node:path";
import type { AppModel } from "../model";

const builtins = new Set(builtinModules);

export interface AppPackage {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  overrides?: unknown;
  groundwork?: { edgeHeaders?: Record<string, string>; include?: string[] };
}

export function readPackage(root: string): AppPackage {
  const file = join(root, "package.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as AppPackage) : {};
}

/** `@scope/name` or `name` of an import; undefined for node's own modules and for files. */
export function packageOf(specifier: string): string | undefined {
  if (/^(node:|\.|\/|#)/.test(specifier)) return undefined;
  const [first = "", second = ""] = specifier.split("/");
  if (builtins.has(first)) return undefined;
  return first.startsWith("@") ? `${first}/${second}` : first;
}

/** Packages that the files import, whether at once or later. */
export async function importedPackages(files: string[]): Promise<string[]> {
  const { build } = await import("esbuild");
  const { metafile } = await build({
    entryPoints: files,
    outdir: "unwritten",
    write: false,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    metafile: true,
    logLevel: "silent",
  });
  const imports = Object.values(metafile.inputs)
    .flatMap((input) => input.imports)
    .filter((one) => one.external);
  const names = imports.map((one) => packageOf(one.path)).filter((name) => name !== undefined);
  return [...new Set(names)].sort();
}

/** The host's packages that this app needs: without a bucket none of S3's, which are a good part of an image. */
export function hostPackagesFor({ buckets }: Pick<AppModel, "buckets">, imported: string[]): string[] {
  return imported.filter((name) => buckets.length > 0 || !name.startsWith("@aws-sdk/"));
}

/** Looks in the node_modules of `folder` and of the folders above it. */
export function installedVersion(name: string, folder: string): string | undefined {
  for (let at = folder, above = ""; at !== above; above = at, at = dirname(at)) {
    const file = join(at, "node_modules", name, "package.json");
    if (existsSync(file)) return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  }
  return undefined;
}

/** What does not come from a registry keeps its form: a git address, a tarball, a folder. */
const isRange = (wanted: string): boolean => !/[:/]/.test(wanted);

/**
 * Dependencies of a built app, exact versions.
 * @param imported packages of its bundles; one that is installed nowhere is one that it runs without here too
 * @param hostRoot where the host's own packages are
 */
export function dependenciesOf(root: string, hostRoot: string, imported: string[]): Record<string, string> {
  const declared = readPackage(root).dependencies ?? {};
  const found: Record<string, string> = {};
  for (const name of new Set([...Object.keys(declared), ...imported])) {
    const wanted = declared[name];
    const version =
      wanted !== undefined && !isRange(wanted)
        ? wanted
        : (installedVersion(name, root) ?? installedVersion(name, hostRoot) ?? wanted);
    if (version !== undefined) found[name] = version;
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}
