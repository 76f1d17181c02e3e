// Whether the databases are as this version of the app wants them.
import { migrationStatus, type MigrationRow } from "../infra";
import { error, type Check, type Finding, warning } from "./finding";

const names = (rows: MigrationRow[]): string => rows.map(({ file }) => file).join(", ");

function findingsOf(database: string, rows: MigrationRow[]): Finding[] {
  const having = (...states: string[]): MigrationRow[] => rows.filter(({ state }) => states.includes(state));
  const [pending, wrong, newer] = [having("pending"), having("edited", "removed", "late"), having("newer")];
  return [
    ...(pending.length
      ? [
          error(
            "migration_pending",
            `${database} lacks ${pending.length} migrations (${pending[0]?.file ?? ""} …)`,
            "groundwork migrate up, with the owner's login, before the new version starts; a start with that login does it too.",
          ),
        ]
      : []),
    ...(wrong.length
      ? [
          error(
            "migration_mismatch",
            `${names(wrong)} is not what was applied to ${database}`,
            "groundwork migrate up says for each what to do: restore the file, or give it the next free number.",
          ),
        ]
      : []),
    ...(newer.length
      ? [
          warning(
            "migration_newer",
            `${database} was migrated by a newer version (${names(newer)})`,
            "Deploy that version; this one goes on with it as an old replica does during a deployment.",
          ),
        ]
      : []),
  ];
}

export const migrations: Check = async ({ databases }) => {
  const found: Finding[] = [];
  for (const { name, url, migrationsDir } of databases) {
    if (migrationsDir === undefined) continue;
    // A database that is away is said once, by databases.ts.
    const rows = await migrationStatus(url, migrationsDir).catch(() => undefined);
    if (rows) found.push(...findingsOf(name, rows));
  }
  return found;
};
