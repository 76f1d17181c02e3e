// Migration files of a database (7.7): which names each tool gives them, and in which order they apply.
import { basename, join } from "node:path";
import { refuseAt } from "../source/literals";
import type { FolderEntry, Files } from "../source/files";
import type { TypeScript } from "../typescript";
import type { Migrations } from "./resource";

export type MigrationSource = "default" | "drizzle" | "prisma" | "drizzle/v1";

type MigrationFile = Migrations["files"][number];

const FILE_NAMES = { default: /^(\d+)_([^.]+)\.(up|down).sql$/, drizzle: /^(\d+)_([^.]+)\.sql$/ };
const FOLDER_NAMES = { prisma: /^(\d+)_(.*)$/, "drizzle/v1": /^(\d+)_(.+)$/ };

/** Numbers have 64 bits; beyond 2^53 their order is kept as far as a double tells them apart. */
function orderOf(digits: string, node: TypeScript.Node): number {
  if (BigInt(digits) < 1n << 64n) return Number(digits);
  throw refuseAt(node, "number too large to fit in target type", "Name migrations by a counter or by the time.");
}

function flatFile(entry: FolderEntry, pattern: RegExp, node: TypeScript.Node): MigrationFile[] {
  if (!entry.name.endsWith(".sql") || entry.name === ".sql") return [];
  const [, number, description, direction] = pattern.exec(entry.name) ?? [];
  if (number === undefined || description === undefined) {
    throw refuseAt(node, `invalid migration filename: ${entry.name}`, "Names look like 1_create_users.up.sql.");
  }
  return direction === "down" ? [] : [{ number: orderOf(number, node), file: entry.name, description }];
}

function folderFile(folder: string, source: "prisma" | "drizzle/v1", node: TypeScript.Node): MigrationFile[] {
  if (source === "drizzle/v1" && folder === "meta") return [];
  const [, number, description] = FOLDER_NAMES[source].exec(folder) ?? [];
  if (number === undefined || description === undefined)
    throw refuseAt(node, `invalid migration directory name: ${folder}`);
  return [{ number: orderOf(number, node), file: `${folder}/migration.sql`, description }];
}

/** Links to folders count: a program that lays out an app's files may link them. */
const isFolder = ({ name, folder, file }: FolderEntry, dir: string, files: Files): boolean =>
  folder || (!file && files.isFolder(join(dir, name)));

/** A folder that holds a migration. */
const holdsMigration = (entry: FolderEntry, dir: string, files: Files): boolean =>
  isFolder(entry, dir, files) &&
  (files.list(join(dir, entry.name)) ?? []).some((inside) => inside.name === "migration.sql");

/** Whoever applies them finds out by the names which layout it is: the files beside numbered folders would be left out. */
function refuseMixture(dir: string, node: TypeScript.Node, files: Files): void {
  const entries = files.list(dir) ?? [];
  const file = entries.find((entry) => /^\d+_.+\.sql$/.test(entry.name) && !isFolder(entry, dir, files));
  const beside = file && entries.find((entry) => /^\d+_/.test(entry.name) && holdsMigration(entry, dir, files));
  if (file && beside)
    throw refuseAt(
      node,
      `migrations of two layouts: ${file.name} and ${beside.name}/migration.sql`,
      "Keep one layout, files or folders.",
    );
}

function listMigrations(dir: string, source: MigrationSource, node: TypeScript.Node, files: Files): MigrationFile[] {
  const entries = files.list(dir) ?? [];
  if (source === "default" || source === "drizzle")
    return entries.flatMap((entry) => flatFile(entry, FILE_NAMES[source], node));
  return entries.flatMap((entry) => {
    if (!isFolder(entry, dir, files))
      return entry.name === "migration.sql" ? folderFile(basename(dir), source, node) : [];
    return holdsMigration(entry, dir, files) ? folderFile(entry.name, source, node) : [];
  });
}

/** @throws Refusal at `node` when the folder or a name in it is wrong */
export function readMigrations(dir: string, source: MigrationSource, node: TypeScript.Node, files: Files): Migrations {
  const kind = files.kind(dir);
  if (kind === "none") throw refuseAt(node, "migrations directory does not exist", dir);
  if (kind === "file") throw refuseAt(node, "migrations path is not a directory", dir);
  refuseMixture(dir, node, files);
  const found = listMigrations(dir, source, node, files);
  found.sort((a, b) => a.number - b.number);
  return { dir, files: found, nonSequential: source === "prisma" || source === "drizzle/v1" };
}
