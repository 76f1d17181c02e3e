// Packages of the app's own workspace are part of its sources: they may be TypeScript, and no registry has them. The bundler
// takes them in and leaves every other package outside. A package that a workspace package uses may be installed beside
// that package only (pnpm's layout), or there in another version than the app's: what the bundle imports is noted here.
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, sep } from "node:path";
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";

const builtins = new Set(builtinModules);

interface Manifest {
  name?: string;
  version?: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

/** `@scope/name` or `name` of an import; undefined for node's own modules and for files. */
export function packageOf(specifier: string): string | undefined {
  if (/^(node:|\.|\/|#)/.test(specifier)) return undefined;
  const [first = "", second = ""] = specifier.split("/");
  if (builtins.has(first)) return undefined;
  return first.startsWith("@") ? `${first}/${second}` : first;
}

/** Of a folder's package.json; undefined when there is none. */
export function readManifest(folder: string): Manifest | undefined {
  const file = join(folder, "package.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Manifest) : undefined;
}

/** From a folder up to the root of the file system. */
function* upwards(folder: string): Generator<string> {
  for (let at = folder, below = ""; at !== below; below = at, at = dirname(at)) yield at;
}

/** Where a package lies that a file in `from` imports, links followed; undefined when it is not installed. */
export function installedFolder(name: string, from: string): string | undefined {
  for (const folder of upwards(from)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return realpathSync(found);
  }
  return undefined;
}

/** What the package around `from` wants of a dependency: a range, an address, `workspace:*`. */
export function wantedBy(from: string, name: string): string | undefined {
  for (const folder of upwards(from)) {
    const manifest = readManifest(folder);
    const lists = [manifest?.dependencies, manifest?.optionalDependencies, manifest?.devDependencies];
    const wanted = lists.map((list) => list?.[name]).find((text) => text !== undefined);
    if (wanted !== undefined) return wanted;
  }
  return undefined;
}

/** Forms of npm, pnpm and yarn for what lies beside, npm's bare paths included; some package managers copy it into node_modules. */
export const isLocalForm = (wanted: string | undefined): boolean =>
  /^(?:workspace|file|link|portal):|^(?:\.{1,2}|~)?[\\/]/.test(wanted ?? "");

/** Whether an installed package is one of the workspace: a link that leads out of node_modules, or a copy of a folder. */
export const isWorkspacePackage = (folder: string, wanted: string | undefined): boolean =>
  !folder.split(sep).includes("node_modules") || isLocalForm(wanted);

/** A package that stays outside of the bundle. */
export interface ExternalPackage {
  /** The name that the bundle imports it by. */
  as: string;
  /** Its own name. */
  name: string;
  version: string;
  /** Where it lies, links followed. */
  folder: string;
  /** A folder that sees it. */
  from: string;
}

/** What the app itself finds keeps its name, or else one of the versions. The others get a name with their version. */
export function namesOf(root: string, found: ExternalPackage[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const name of new Set(found.map((one) => one.name))) {
    const own = installedFolder(name, root);
    const versions = found.flatMap((one) => (one.name === name ? one.version : [])).sort();
    const plain = own === undefined ? versions[0] : readManifest(own)?.version;
    for (const version of versions)
      if (version !== plain) names.set(`${name}@${version}`, `${name}-${version.replace(/[^\w.-]/g, "-")}`);
  }
  return names;
}

const inner = Symbol("asked by the plugin itself");
/** The SDK and its native library are one in a process, wherever a checkout of it lies. */
const alwaysOutside = (name: string): boolean => name === "encore.dev";

/**
 * Bundles what lies in the workspace, leaves out what was installed.
 * @param names by `name@version`, for packages of several versions
 * @param externals filled with the packages left out
 */
export function workspacePackages(names: Map<string, string>, externals: Map<string, ExternalPackage>): Plugin {
  const outside = (args: OnResolveArgs, name: string, folder: string): OnResolveResult => {
    const { version = "0.0.0" } = readManifest(folder) ?? {};
    const as = names.get(`${name}@${version}`) ?? name;
    externals.set(`${name}@${version}`, { as, name, version, folder, from: args.resolveDir });
    return { path: as + args.path.slice(name.length), external: true };
  };
  const resolve = async (build: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> => {
    const name = packageOf(args.path);
    if (args.pluginData === inner || args.kind === "entry-point" || name === undefined) return undefined;
    if (alwaysOutside(name)) return { path: args.path, external: true };
    const { importer, kind, namespace, resolveDir } = args;
    const file = await build.resolve(args.path, { importer, kind, namespace, resolveDir, pluginData: inner });
    const folder = installedFolder(name, resolveDir);
    const isInstalled = folder !== undefined && !isWorkspacePackage(folder, wantedBy(resolveDir, name));
    // A path of tsconfig.json may lead elsewhere than to the package of that name.
    if (isInstalled && (file.errors.length > 0 || file.path.startsWith(folder + sep)))
      return outside(args, name, folder);
    if (file.errors.length > 0 || file.external) return { path: args.path, external: true };
    const { path, sideEffects, suffix } = file;
    return { path, namespace: file.namespace, sideEffects, suffix };
  };
  return {
    name: "workspace-packages",
    setup: (build) => void build.onResolve({ filter: /^[^./]/ }, (args) => resolve(build, args)),
  };
}
