// What is said of migrations that do not fit the database: which file, why, and what to do about it.
import { InfraError } from "./errors";
import type { Comparison, MigrationRow, MigrationState } from "./migration-history";

export interface Surroundings {
  /** Folder of the migrations. */
  dir: string;
  /** Data folder of the embedded database, where it may be thrown away: in development. */
  disposable?: string;
}

const list = (rows: MigrationRow[]): string => rows.map(({ file }) => file).join(", ");

const having = (rows: MigrationRow[], state: MigrationState): MigrationRow[] =>
  rows.filter((row) => row.state === state);

function afresh({ disposable }: Surroundings): string {
  return disposable === undefined
    ? ""
    : `\n  In development: delete ${disposable} to start afresh; what it holds is lost.`;
}

function lateText(rows: MigrationRow[], highest: bigint, dir: string): string {
  return (
    `${list(rows)} in ${dir} was never applied: the database is at migration ${highest}, and a lower number never runs\n` +
    `  Give it the next free number, above ${highest}, so that it runs everywhere.`
  );
}

function changedText(rows: MigrationRow[], what: string, dir: string): string {
  return (
    `${list(rows)} in ${dir} was ${what} after it was applied: a new database would differ from this one\n` +
    "  Restore the file from version control and write the change as a new migration.\n" +
    `  When it changes nothing in the database (a comment, a squash): \`groundwork migrate repair ${rows[0]?.file ?? "FILE"}\`.`
  );
}

/** @throws InfraError for files that were added too late, edited or removed after they ran */
export function refuseMismatch({ rows }: Comparison, where: Surroundings): void {
  const late = having(rows, "late");
  const edited = having(rows, "edited");
  const removed = having(rows, "removed");
  const highest = rows.reduce((top, { number, state }) => (state !== "pending" && number > top ? number : top), 0n);
  const texts = [
    ...(late.length ? [lateText(late, highest, where.dir)] : []),
    ...(edited.length ? [changedText(edited, "edited", where.dir)] : []),
    ...(removed.length ? [changedText(removed, "removed", where.dir)] : []),
  ];
  if (texts.length) throw new InfraError(texts.join("\n") + afresh(where));
}

/**
 * A database that a newer version of the app has migrated. During a deployment, and after one that was rolled back,
 * that is how it should be: migrations only add (expand now, contract one release later), and an old replica that
 * restarts beside the new ones must serve. Only a database of development that may be thrown away is refused.
 * @returns what to say, or undefined when the database is not newer
 * @throws InfraError in development on the embedded database
 */
export function newerText(
  latest: bigint,
  highestFile: bigint,
  rows: MigrationRow[],
  where: Surroundings,
): string | undefined {
  if (latest <= highestFile) return undefined;
  const newer = having(rows, "newer");
  const names = newer.length ? ` (${list(newer)})` : "";
  const fact = `the database is at migration ${latest}${names}, but ${where.dir} ends at ${highestFile}: a newer version of the app has migrated it`;
  if (where.disposable === undefined)
    return `${fact}\n  This version goes on with it, as an old replica does during a deployment.`;
  throw new InfraError(`${fact}\n  Start that version (or a newer one).${afresh(where)}`);
}
