// Refuses a connection for which row security would not hold. Asked once per process, before the first
// transaction: Postgres itself answers, per table, whether row security binds the role we act as.
import type { Pool, PoolClient } from "pg";
import { DbError } from "./errors";
import type { Isolation } from "./scope";

interface Unprotected {
  table_name: string;
}

/**
 * How isolation holds on this pool's connections. Throws DbError `misuse` with the tables at fault when it
 * would not: row security off or not forced, or a role that bypasses it and may not become groundwork_app.
 */
export async function checkIsolation(pool: Pool): Promise<Isolation> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const isolation = await isolationOf(client);
    const open = await unprotectedTables(client);
    if (open.length > 0) {
      throw new DbError(
        "misuse",
        `row security does not hold for ${open.join(", ")}: enable and force it in a migration, and connect as a role that it binds`,
      );
    }
    return isolation;
  } finally {
    await client.query("rollback").catch(() => undefined);
    client.release();
  }
}

/** Becomes groundwork_app for the rest of this transaction if the connection's own role bypasses row security. */
async function isolationOf(client: PoolClient): Promise<Isolation> {
  const found = await client.query<{ bypasses: boolean }>(
    "select rolsuper or rolbypassrls as bypasses from pg_roles where rolname = current_user",
  );
  if (found.rows[0]?.bypasses === false) return { role: null };
  try {
    await client.query("set local role groundwork_app");
  } catch (cause) {
    throw new DbError(
      "misuse",
      "the database role bypasses row security and may not become groundwork_app: run the migrations, `grant groundwork_app` to it, or connect as a role without BYPASSRLS",
      { cause },
    );
  }
  return { role: "groundwork_app" };
}

async function unprotectedTables(client: PoolClient): Promise<string[]> {
  const found = await client.query<Unprotected>(
    `select c.oid::regclass::text as table_name
       from pg_class c
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
      where c.relkind in ('r', 'p') and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        and not (c.relrowsecurity and c.relforcerowsecurity and row_security_active(c.oid))
      order by 1`,
  );
  return found.rows.map((row) => row.table_name);
}
