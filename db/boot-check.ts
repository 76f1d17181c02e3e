// Refuses a connection for which row security would not hold. Asked once per process, before the first
// transaction: Postgres itself answers, per table, whether row security binds the role we act as.
import type { Pool, PoolClient } from "pg";
import { cfg } from "../config";
import { logger } from "../telemetry/logger";
import { DbError } from "./errors";
import type { Isolation } from "./scope";

interface Login {
  name: string;
  /** The role by which it bypasses row security, itself or as a member; null when nothing does. */
  bypasses_as: string | null;
  /** Whether it does so without becoming another role. */
  bypasses: boolean;
}

export interface LoginRules {
  isProduction: boolean;
  /** DB_OWNER_LOGIN: in production the tables' owner is told of, or refused. */
  ownerLogin: "warn" | "refuse";
}

/**
 * How isolation holds on this pool's connections. Throws DbError `misuse` when it would not: a table with tenant_id
 * whose row security is off, not forced or does not bind us; in production, any login that is or may become a role
 * that bypasses row security (superuser, BYPASSRLS), because one bent statement would make it that role, and where
 * DB_OWNER_LOGIN says so, one that owns what row security stands on, which could be switched off; elsewhere (the embedded database has only a superuser), one that
 * may not become groundwork_app.
 */
export async function checkIsolation(
  pool: Pool,
  rules: LoginRules = { isProduction: cfg.env === "production", ownerLogin: cfg.db.ownerLogin },
): Promise<Isolation> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const login = await loginOf(client);
    if (rules.isProduction && login.bypasses_as !== null) throw refusedLogin(login, login.bypasses_as);
    if (rules.isProduction) await checkOwner(client, login, rules);
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
    `production refuses the database login ${name}, because row security does not bind it: it ${why}. ${REMEDY}`,
  );
}

const REMEDY =
  "Make one that it binds, `create role app login password '…' nosuperuser nobypassrls in role groundwork_app; " +
  "grant pg_read_all_data to app; grant create on database … to app`, connect as that, and migrate with the owner's login";

interface Owned {
  name: string;
  owner: string;
}

/**
 * Forced row security binds a table's owner, but the owner may switch it off, in a statement as well as by hand; who owns
 * the functions that its policies ask, or the schema they stand in, may put others in their place.
 */
async function checkOwner(client: PoolClient, { name }: Login, { ownerLogin }: LoginRules): Promise<void> {
  const found = await client.query<Owned>(
    `select name, pg_get_userbyid(owner) as owner
       from (select oid::regclass::text as name, relowner as owner, relnamespace as space, 1 as rank
               from pg_class where relrowsecurity and relkind in ('r', 'p')
             union all
             select oid::regprocedure::text, proowner, pronamespace, 2
               from pg_proc where pronamespace = to_regnamespace('db')
             union all
             select 'the schema ' || nspname, nspowner, oid, 3
               from pg_namespace
              where oid in (select relnamespace from pg_class where relrowsecurity and relkind in ('r', 'p'))) owned
      where pg_has_role(session_user, owner, 'member') order by rank, name limit 1`,
  );
  const owned = found.rows[0];
  if (owned === undefined) return;
  const how = owned.owner === name ? "owns" : `may become ${owned.owner}, which owns`;
  const text = `the database login ${name} ${how} ${owned.name}: one bent statement could switch row security off`;
  if (ownerLogin === "refuse") throw new DbError("misuse", `DB_OWNER_LOGIN=refuse: ${text}. ${REMEDY}`);
  logger("db").warn(
    { login: name, owns: owned.name },
    `${text}. ${REMEDY}; DB_OWNER_LOGIN=refuse then holds it to that`,
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
