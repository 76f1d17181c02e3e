// Which migrations a folder holds, in Encore's three layouts (contract 7.7): `1_name.up.sql` files,
// drizzle's `0001_name.sql` files, prisma's and drizzle v1's `20240101_name/migration.sql` folders.
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { InfraError } from "./errors";

export interface Migration {
  number: bigint;
  /** Relative to the folder. */
  file: string;
  sql(): string;
}

export interface MigrationSet {
  dir: string;
  /** In order of number. */
  migrations: Migration[];
  /** Any missing number is applied, even one lower than the highest; one row per number is kept (D-41). */
  nonSequential: boolean;
}

const upOrDown = /^(\d+)_([^.]+)\.(up|down)\.sql$/;
const plain = /^(\d+)_.+\.sql$/;
const folder = /^(\d+)_/;

function fromFolders(dir: string, names: string[]): Migration[] {
  const found = names
    .map((name) => ({ name, number: folder.exec(name)?.[1] }))
    .filter(({ name, number }) => number !== undefined && existsSync(join(dir, name, "migration.sql")));
  return found.map(({ name, number }) => migration(dir, join(name, "migration.sql"), number ?? "0"));
}

function fromFiles(dir: string, names: string[]): Migration[] {
  const sqlFiles = names.filter((name) => name.endsWith(".sql"));
  const encore = sqlFiles.some((name) => upOrDown.test(name));
  const found: Migration[] = [];
  for (const name of sqlFiles) {
    const match = (encore ? upOrDown : plain).exec(name);
    if (!match) throw new InfraError(`invalid migration filename: ${name}\n  ${dir}: name it <number>_<name>.up.sql`);
    if (match[3] !== "down") found.push(migration(dir, name, match[1] ?? "0"));
  }
  return found;
}

/** What the column of `schema_migrations`, a bigint, can hold. */
const NUMBER_MAX = 2n ** 63n - 1n;

function migration(dir: string, file: string, number: string): Migration {
  if (BigInt(number) > NUMBER_MAX)
    throw new InfraError(`${file}: the number of a migration must not be above ${NUMBER_MAX}\n  ${dir}: shorten it`);
  return { number: BigInt(number), file, sql: () => withoutMark(readFileSync(join(dir, file), "utf8")) };
}

/** Some editors write a byte order mark, which Postgres takes for a part of the first word; psql passes it over as well. */
const withoutMark = (text: string): string => (text.startsWith("\uFEFF") ? text.slice(1) : text);

/** What an entry is where links are followed: ConfigMaps of Kubernetes, Nix and Bazel lay out files as links. */
function kindOf(dir: string, entry: Dirent): "file" | "folder" | "other" {
  const found = entry.isSymbolicLink() ? statSync(join(dir, entry.name), { throwIfNoEntry: false }) : entry;
  if (!found && folder.test(entry.name))
    throw new InfraError(`${entry.name} is a link that leads nowhere\n  ${dir}: a migration must be a file`);
  return found?.isDirectory() ? "folder" : found?.isFile() ? "file" : "other";
}

/** One of the layouts' files would never be applied. */
function refuseMixture(dir: string, [inFolder]: Migration[], files: string[]): void {
  const file = files.find((name) => plain.test(name));
  if (inFolder && file !== undefined)
    throw new InfraError(
      `migrations of two layouts: ${file} and ${inFolder.file}\n  ${dir}: keep one layout, files or folders`,
    );
}

/**
 * Reads a migrations folder.
 * @throws InfraError for a file that no layout names, for two files of the same number, and for files beside folders
 */
export function readMigrations(dir: string): MigrationSet {
  const entries = readdirSync(dir, { withFileTypes: true }).map((entry) => ({
    name: entry.name,
    kind: kindOf(dir, entry),
  }));
  const namesOf = (kind: string): string[] => entries.filter((one) => one.kind === kind).map(({ name }) => name);
  const files = namesOf("file");
  const folders = fromFolders(dir, namesOf("folder"));
  refuseMixture(dir, folders, files);
  const nonSequential = folders.length > 0;
  const migrations = nonSequential ? folders : fromFiles(dir, files);
  migrations.sort((a, b) => (a.number < b.number ? -1 : a.number > b.number ? 1 : 0));
  for (const [index, current] of migrations.entries()) {
    const before = migrations[index - 1];
    if (before?.number === current.number)
      throw new InfraError(
        `duplicate migration identifier: ${current.number}\n  ${before.file} and ${current.file}: give one of them another number`,
      );
  }
  return { dir, migrations, nonSequential };
}
