// Rows of an archive into a database whose tables are there: one transaction, which ends well only when every table has the
// checksum that it had when the backup was made.
import { InfraError, quoteIdentifier, quoteQualified } from "../infra";
import { type DatabaseHeader, tableName, type Digest, type TableShape } from "./archive-format";
import { isOfServer, materialisedViewsOf, sequencesOf, storedColumns, tablesOf } from "./catalogue";
import type { DatabaseSession, TextRow } from "./database-session";
import { eachPage } from "./table-rows";

/** Made by the host itself, whose newer versions only add columns. */
const isOfHost = ({ schema }: TableShape): boolean => schema === "bullmq" || schema === "groundwork";

const columnTexts = (table: TableShape): string[] =>
  table.columns.map(({ name, type, generated }) => JSON.stringify([name, type, generated]));

function fits(own: TableShape, backedUp: TableShape): boolean {
  const present = new Set(columnTexts(own));
  const wanted = columnTexts(backedUp);
  return wanted.every((column) => present.has(column)) && (isOfHost(own) || wanted.length === present.size);
}

/**
 * Holds the backup's tables to those that the migrations have made.
 * @throws InfraError naming tables that are missing or different
 */
export async function checkTables(session: DatabaseSession, name: string, header: DatabaseHeader): Promise<void> {
  const present = new Map((await tablesOf(session)).map((table) => [tableName(table), table]));
  const missing = header.tables.filter((table) => !present.has(tableName(table))).map(tableName);
  const other = header.tables.filter((table) => {
    const own = present.get(tableName(table));
    return own !== undefined && !fits(own, table);
  });
  if (missing.length > 0)
    throw new InfraError(
      `${missing.join(", ")} of the backup's database ${name} is made by no migration of the app: nothing was restored into it\n  Write a migration that makes it, or make the backup without it (a table that was made by hand).`,
    );
  if (other.length > 0)
    throw new InfraError(
      `${other.map(tableName).join(", ")} of the backup's database ${name} has other columns than the migrations make: nothing was restored into it\n  Use the version of the app that made the backup; if the table was altered by hand, write that as a migration.`,
    );
}

/** To be called inside the loading transaction, first. */
export async function beginLoading(session: DatabaseSession): Promise<void> {
  // Neither triggers nor foreign keys: what they would do or refuse, they did when the rows were first written.
  await session.query("set local session_replication_role = replica");
  const tables = await tablesOf(session);
  if (tables.length > 0) await session.query(`truncate ${tables.map(quoteQualified).join(", ")}`);
}

/** Names and types are those of a table that is there: `checkTables` has held the backup's to them. */
function insertStatement(table: TableShape): { sql: string; columns: number } {
  const columns = storedColumns(table);
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  const values = columns.map((column, at) =>
    isOfServer(column) ? "pg_catalog.pg_current_xact_id()" : `cast(given.c${at} as ${column.type})`,
  );
  const lists = columns.map((_, at) => `$${at + 1}::text[]`).join(", ");
  const aliases = columns.map((_, at) => `c${at}`).join(", ");
  return {
    sql: `insert into ${quoteQualified(table)} (${names}) overriding system value select ${values.join(", ")} from unnest(${lists}) as given(${aliases})`,
    columns: columns.length,
  };
}

export async function loadRows(session: DatabaseSession, table: TableShape, rows: readonly TextRow[]): Promise<void> {
  const { sql, columns } = insertStatement(table);
  const lists = Array.from({ length: columns }, (_, at) => rows.map((row) => row[at] ?? null));
  await session.query(sql, lists);
}

/**
 * Sequences, views that keep their rows, and the proof: every table is read back.
 * @throws InfraError naming the first table that differs
 */
export async function finishLoading(
  session: DatabaseSession,
  name: string,
  header: DatabaseHeader,
  expected: Readonly<Record<string, { rows: number; sha256: string }>>,
): Promise<void> {
  const present = new Set((await sequencesOf(session)).map(tableName));
  for (const sequence of header.sequences)
    if (present.has(tableName(sequence)))
      await session.query("select pg_catalog.setval($1::regclass, $2::bigint, $3::boolean)", [
        quoteQualified(sequence),
        sequence.lastValue,
        sequence.isCalled,
      ]);
  for (const view of await materialisedViewsOf(session))
    await session.query(`refresh materialized view ${quoteQualified(view)}`);
  for (const table of header.tables) {
    const { count, sha256 }: Digest = (await eachPage(session, table, () => Promise.resolve())).value();
    const wanted = expected[tableName(table)];
    if (wanted?.rows !== count || wanted.sha256 !== sha256)
      throw new InfraError(
        `${tableName(table)} of the database ${name} would not be what was backed up (${count} of ${wanted?.rows ?? 0} rows${wanted?.rows === count ? ", of other content" : ""}): nothing was restored into it\n  This is an error of groundwork or of the server: keep the backup and report it.`,
      );
  }
}
