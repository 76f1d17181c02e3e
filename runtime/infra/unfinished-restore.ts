// A restore that has not come to its end: each database of it has a mark from before anything is lost until all of it is
// there. A database may look whole before that (its rows are in, the objects of its buckets are not), so no app starts on it.
import type pg from "pg";
import { connect } from "./connect";
import { quoteIdentifier } from "./database-url";
import { InfraError } from "./errors";

/** A schema, because any login sees that there is one. */
const MARK = "groundwork_restore";

type Client = Pick<pg.Client, "query">;

export const beginRestore = (client: Client): Promise<unknown> =>
  client.query(`create schema if not exists ${quoteIdentifier(MARK)}`);

export const endRestore = (client: Client): Promise<unknown> =>
  client.query(`drop schema if exists ${quoteIdentifier(MARK)}`);

/** @throws InfraError where a restore into this database has not ended */
export async function refuseUnfinishedRestore(client: Client, name: string): Promise<void> {
  const { rowCount } = await client.query("select from pg_catalog.pg_namespace where nspname = $1", [MARK]);
  if (rowCount)
    throw new InfraError(
      `a restore into the database ${name} has not ended: what is there is not whole\n  Wait for it if it still runs; if it broke off, run it again with --overwrite.`,
    );
}

/** A database that does not answer is told of by whoever needs it next. */
export async function refuseUnfinishedRestores(databases: Readonly<Record<string, { url: string }>>): Promise<void> {
  await Promise.all(
    Object.entries(databases).map(async ([name, { url }]) => {
      const client = await connect(url, "groundwork-start").catch(() => undefined);
      if (client) await refuseUnfinishedRestore(client, name).finally(() => client.end().catch(() => undefined));
    }),
  );
}
