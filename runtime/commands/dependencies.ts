// Which packages a built app needs: those its bundles import, as esbuild sees them, and those the app itself declares
// (a package may be loaded by a name that no bundler sees). Versions are the installed ones. A package of the workspace is in
// the bundle: its name is in no registry, or somebody else's there.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ErrorForm, GuardHeader } from "../generate/openapi";
import type { AppModel } from "../model";
import {
  installedFolder,
  isLocalForm,
  isWorkspacePackage,
  readManifest,
  wantedBy,
  type ExternalPackage,
  packageOf,
} from "./workspace-packages";

export interface AppPackage {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  overrides?: unknown;
  groundwork?: {
    edgeHeaders?: Record<string, string>;
    include?: string[];
    openapiHeaders?: GuardHeader[];
    openapiErrors?: ErrorForm[];
  };
}

export function readPackage(root: string): AppPackage {
  const file = join(root, "package.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as AppPackage) : {};
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

/** What does not come from a registry keeps its form: a git address, a tarball. A range of pnpm's catalog is none. */
const isAddress = (wanted: string): boolean => /[:/]/.test(wanted) && !wanted.startsWith("catalog:");

/** The version of a package that is installed where `folder` finds it; undefined too for one of the workspace. */
function versionFor(name: string, wanted: string | undefined, folder: string): string | undefined {
  const installed = installedFolder(name, folder);
  if (installed === undefined || isWorkspacePackage(installed, wanted)) return undefined;
  return readManifest(installed)?.version;
}

function declaredVersion(name: string, wanted: string, root: string): string | undefined {
  if (isLocalForm(wanted)) return undefined;
  const installed = installedFolder(name, root);
  if (installed !== undefined && isWorkspacePackage(installed, wanted)) return undefined;
  return isAddress(wanted) ? wanted : versionFor(name, wanted, root);
}

/**
 * Dependencies of a built app, exact versions. One that is installed nowhere is one that it runs without here too.
 * @param packages what its bundle imports
 * @param host packages that the host's programs import
 * @param hostRoot where the host's own packages are
 */
export function dependenciesOf(
  root: string,
  packages: ExternalPackage[],
  host: string[],
  hostRoot: string,
): Record<string, string> {
  const declared = readPackage(root).dependencies ?? {};
  const found: Record<string, string | undefined> = {};
  for (const name of host) found[name] = versionFor(name, undefined, hostRoot);
  found["encore.dev"] = versionFor("encore.dev", undefined, root) ?? versionFor("encore.dev", undefined, hostRoot);
  for (const { as, name, version, from } of packages) {
    const wanted = wantedBy(from, name);
    if (wanted !== undefined && isAddress(wanted)) found[as] = wanted;
    else found[as] = as === name ? version : `npm:${name}@${version}`;
  }
  for (const [name, wanted] of Object.entries(declared))
    found[name] = declaredVersion(name, wanted, root) ?? found[name];
  const known = Object.entries(found).filter((one): one is [string, string] => one[1] !== undefined);
  return Object.fromEntries(known.sort(([a], [b]) => (a < b ? -1 : 1)));
}
