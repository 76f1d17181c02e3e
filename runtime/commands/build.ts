// `groundwork build`: the app as one folder that needs nothing of its sources: bundle, model, the host's start
// program, migrations, static files, and what an image of it takes. `groundwork start` and its Dockerfile run it.
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import type { AppModel } from "../model";
import { findAppRoot, UsageError } from "./app-root";
import { builtFiles, type BuildManifest } from "./built-app";
import { bundleApp, bundledImports } from "./bundle-app";
import { dim, say, step } from "./console";
import { dependenciesOf, hostPackagesFor, importedPackages, readPackage } from "./dependencies";
import { buildInfo } from "./environment";
import { hostFile, hostPackageRoot } from "../host-files";
import { dockerfile, dockerignore, infraConfigTemplate } from "./image-files";
import type { CommandInput } from "./command-input";
import { parseForCommand } from "./parse-app";
import { needsHostDatabase } from "../infra";

/** Hidden and beside Encore's own output: git, the watcher and the parser leave it alone in every Encore app. */
const defaultOutput = ".encore/build/app";

/** Empties a folder of an earlier build but for its packages; anything else that is there is not ours to remove. */
function clear(folder: string): void {
  const entries = existsSync(folder) ? readdirSync(folder) : [];
  if (entries.length && !existsSync(join(folder, builtFiles.manifest)))
    throw new UsageError(`${folder} is not empty and no earlier build: name another folder with --output DIR`);
  for (const entry of entries)
    if (entry !== "node_modules") rmSync(join(folder, entry), { recursive: true, force: true });
  mkdirSync(join(folder, "host"), { recursive: true });
}

/** The map's sources are named from the app's root, so that stacks of a built app name the app's own files. */
function copyBundle(bundle: string, root: string, folder: string): void {
  cpSync(bundle, join(folder, builtFiles.bundle));
  const map = JSON.parse(readFileSync(`${bundle}.map`, "utf8")) as { sources: string[] };
  map.sources = map.sources.map((source) => relative(root, resolve(dirname(bundle), source)));
  writeFileSync(join(folder, `${builtFiles.bundle}.map`), JSON.stringify(map));
}

/** Folders and files of the app that are read while it runs: migrations, static assets, what package.json names. */
export function runtimeFiles(model: AppModel, include: string[] = []): string[] {
  const migrations = model.databases.flatMap(({ migrationsDir }) => migrationsDir ?? []);
  const assets = model.services.flatMap(({ endpoints }) =>
    endpoints.flatMap((endpoint) =>
      endpoint.static ? [endpoint.static.dir, endpoint.static.notFound ?? []].flat() : [],
    ),
  );
  return [...new Set([...migrations, ...assets, ...include])].sort();
}

function copyRuntimeFiles(files: string[], root: string, folder: string): void {
  for (const file of files) {
    if (isAbsolute(file) || relative(root, join(root, file)).startsWith(".."))
      throw new UsageError(`${file} lies outside of ${root}: a built app takes along only what is inside`);
    if (!existsSync(join(root, file)))
      throw new UsageError(
        `${file} is not there: the app names it (static assets, migrations or package.json#groundwork.include)`,
      );
    copyFollowing(join(root, file), join(folder, file), []);
  }
}

/**
 * Copies what links lead to: a link would lead to where the app was built. Node 24's own copy leaves links within a folder as they
 * are, whatever it is told (nodejs/node#59168).
 */
function copyFollowing(from: string, to: string, above: readonly string[]): void {
  if (!statSync(from).isDirectory()) return copyFile(from, to);
  const own = realpathSync(from);
  if (above.includes(own)) throw new UsageError(`${from} is a link that leads to a folder which it is in`);
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) copyFollowing(join(from, name), join(to, name), [...above, own]);
}

function copyFile(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

function copyHost(model: AppModel, folder: string): void {
  cpSync(hostFile("start.js"), join(folder, builtFiles.start));
  cpSync(hostFile("native.cjs"), join(folder, builtFiles.native));
  if (needsHostDatabase(model, {})) cpSync(hostFile("embedded-postgres.js"), join(folder, builtFiles.embeddedPostgres));
}

const hostPrograms = [builtFiles.start, builtFiles.native, builtFiles.embeddedPostgres];

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

async function packageJson(root: string, folder: string, model: AppModel): Promise<object> {
  const { name = "app", version = "0.0.0", overrides, groundwork } = readPackage(root);
  const programs = hostPrograms.map((file) => join(folder, file)).filter((file) => existsSync(file));
  const host = hostPackagesFor(model, await importedPackages(programs));
  return {
    name,
    version,
    private: true,
    type: "module",
    engines: { node: ">=20.19" },
    scripts: { start: `node ${builtFiles.start}` },
    dependencies: dependenciesOf(root, bundledImports(root), host, hostPackageRoot),
    ...(overrides === undefined ? {} : { overrides }),
    ...(groundwork === undefined ? {} : { groundwork }),
  };
}

/** Writes a built app. @returns its absolute folder @throws ParseFailure, BundleError, UsageError */
export async function buildApp(root: string, output: string): Promise<string> {
  const folder = resolve(output);
  const { model, modelFile } = await parseForCommand(root);
  const bundle = await bundleApp(root);
  clear(folder);
  copyBundle(bundle, root, folder);
  cpSync(modelFile, join(folder, builtFiles.model));
  copyHost(model, folder);
  copyRuntimeFiles(runtimeFiles(model, readPackage(root).groundwork?.include), root, folder);
  const manifest: BuildManifest = { formatVersion: 1, build: buildInfo(root) };
  const own = join(root, builtFiles.infraConfig);
  const texts = {
    [builtFiles.manifest]: json(manifest),
    "package.json": json(await packageJson(root, folder, model)),
    [builtFiles.infraConfig]: existsSync(own) ? readFileSync(own, "utf8") : json(infraConfigTemplate(model)),
    Dockerfile: dockerfile,
    ".dockerignore": dockerignore,
  };
  for (const [file, text] of Object.entries(texts)) writeFileSync(join(folder, file), text);
  return folder;
}

export async function build({ flags }: CommandInput): Promise<void> {
  const root = findAppRoot(flags.app);
  const folder = await step("app built", () => buildApp(root, flags.output ?? join(root, defaultOutput)));
  const near = relative(process.cwd(), folder) || ".";
  const shown = near.startsWith("..") ? folder : near;
  say(
    `${folder}\n${dim(`  image: docker build -t my-app ${shown}\n  plain: cd ${shown} && npm install --omit=dev && npm start`)}`,
  );
}
