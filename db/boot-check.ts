// Refuses a connection for which row security would not hold. Asked once per process, before the first
// transaction: Postgres itself answers, per table, whether row security binds the role we act as.
import type { Pool, PoolClient } from "pg";
import { cfg } from "../config";
import { DbError } from "./errors";
import type { Isolation } from "./scope";

interface Login {
  name: string;
  /** The role by which it bypasses row security, itself or as a member; null when nothing does. */
  bypasses_as: string | null;
  /** Whether it does so without becoming another role. */
  bypasses: boolean;
}

/**
 * How isolation holds on this pool's connections. Throws DbError `misuse` when it would not: a table with tenant_id
 * whose row security is off, not forced or does not bind us; in production, any login that is or may become a role
 * that bypasses row security (superuser, BYPASSRLS), because one bent statement would make it that role; elsewhere
 * (the embedded database has only a superuser), one that may not become groundwork_app.
 */
export async function checkIsolation(pool: Pool, isProduction = cfg.env === "production"): Promise<Isolation> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const login = await loginOf(client);
    if (isProduction && login.bypasses_as !== null) throw refusedLogin(login, login.bypasses_as);
    if (login.bypasses) await becomeApp(client);
    const open = await unprotectedTables(client);
    if (open.length > 0) {
      throw new DbError(
        "misuse",
        `row security does not hold for ${open.join(", ")}: end the migration that makes the table with db.protect_tenant_table('schema.table'), and connect as a role that it binds`,
      );
    }
    return { role: login.bypasses ? "groundwork_app" : null };
  } finally {
    await client.query("rollback").catch(() => undefined);
    client.release();
  }
}

async function loginOf(client: PoolClient): Promise<Login> {
  const found = await client.query<Login>(
    `select session_user as name, own.rolsuper or own.rolbypassrls as bypasses,
            (select r.rolname from pg_roles r
              where (r.rolsuper or r.rolbypassrls) and pg_has_role(session_user, r.oid, 'member')
              order by r.rolname = session_user desc, r.rolname limit 1) as bypasses_as
       from pg_roles own where own.rolname = session_user`,
  );
  const login = found.rows[0];
  if (login === undefined) throw new DbError("misuse", "the database does not say which role we are connected as");
  return login;
}

function refusedLogin({ name }: Login, bypassesAs: string): DbError {
  const why = name === bypassesAs ? "is a superuser or has BYPASSRLS" : `may become ${bypassesAs}, which bypasses it`;
  return new DbError(
    "misuse",
    `production refuses the database login ${name}, because row security does not bind it: it ${why}. Make one that it binds, ` +
      "`create role app login password '…' nosuperuser nobypassrls in role groundwork_app; grant create on database … to app`, and connect as that",
  );
}

/** Becomes groundwork_app for the rest of this transaction: what every transaction of this process will do. */
async function becomeApp(client: PoolClient): Promise<void> {
  try {
    await client.query("set local role groundwork_app");
  } catch (cause) {
    throw new DbError(
      "misuse",
      "the database role bypasses row security and may not become groundwork_app: run the migrations, `grant groundwork_app` to it, or connect as a role without BYPASSRLS",
      { cause },
    );
  }
}

async function unprotectedTables(client: PoolClient): Promise<string[]> {
  const found = await client.query<{ table_name: string }>(
    `select c.oid::regclass::text as table_name
       from pg_class c
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
      where c.relkind in ('r', 'p') and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        and not (c.relrowsecurity and c.relforcerowsecurity and row_security_active(c.oid))
      order by 1`,
  );
  return found.rows.map((row) => row.table_name);
}
