// Whether this version of an app can make the tables of a backup: every migration that the backup had must be here, and be
// the same. Newer ones are applied after the rows are in.
import { checksumOf, InfraError, readMigrations } from "../infra";
import type { DatabaseHeader } from "./archive-format";

/**
 * @param dir absolute folder of migrations; undefined where the app has none for this database
 * @returns the numbers that the backup had
 * @throws InfraError for a backup of a newer version of the app, and for one of other migrations
 */
export function checkMigrations(
  name: string,
  { migrations }: DatabaseHeader,
  dir: string | undefined,
): ReadonlySet<bigint> {
  const wanted = new Set(migrations.map(({ number }) => BigInt(number)));
  const own = new Map(
    (dir === undefined ? [] : readMigrations(dir).migrations).map((migration) => [migration.number, migration]),
  );
  const missing = migrations.filter(({ number }) => !own.has(BigInt(number)));
  if (missing.length > 0)
    throw new InfraError(
      `the backup's database ${name} has migrations that this version of the app does not know: ${missing.map(({ file }) => file).join(", ")}\n  Restore it with the version of the app that made the backup, or a newer one. Nothing was changed.`,
    );
  const changed = migrations.filter(({ number, checksum }) => {
    const migration = own.get(BigInt(number));
    return checksum !== null && migration !== undefined && checksumOf(migration) !== checksum;
  });
  if (changed.length > 0)
    throw new InfraError(
      `the backup's database ${name} was made by other migrations: ${changed.map(({ file }) => file).join(", ")} was edited since\n  Restore the file from version control, or use the version of the app that made the backup. Nothing was changed.`,
    );
  return wanted;
}
