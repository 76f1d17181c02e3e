// What somebody might run who can bend a statement of ours: generated from a seed, run inside a tenant's transaction
// (past our own check of texts), and what it read, changed or left behind looked for afterwards.
import type pg from "pg";
import type { TenantId } from "../../security/principal";
import { tenantIdFrom } from "../../security/principal";
import { newId } from "../ids";
import { sendPipelined } from "../pipeline";
import { scopeStatement, type Isolation } from "../scope";

/** Tables with a text column that can hold the victim's secret. */
export const TABLES = ["queues.tenant_turn", "auth.organisation", "vectors.document"] as const;

/** What the attacker makes of its own. */
export const EVIL_SCHEMAS = [0, 1, 2, 3].map((n) => `evil_${n}`);

type Random = () => number;

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

export interface Names {
  victim: string;
  /** A login that owns the tables. */
  owner: string;
  /** All that the server has. */
  settings: readonly string[];
  /** Of its own catalogues, with their schemas. */
  views: readonly string[];
  /** Calls of each function of the policies' own schema. */
  calls: readonly string[];
}

const ARGUMENTS: Record<string, (victim: string) => string> = {
  uuid: quoted,
  text: () => "'system'",
  bytea: () => "sha256('mine')",
};

/** What this server has to be tried: nobody keeps a list of it. */
export async function namesOf(client: pg.Pool, victim: string, owner: string): Promise<Names> {
  const { rows } = await client.query<{
    settings: string[];
    views: string[];
    calls: { name: string; types: string[] }[];
  }>(
    `select (select array_agg(name order by name) from pg_settings) as settings,
            (select array_agg(schemaname || '.' || viewname order by schemaname, viewname) from pg_views where schemaname in ('pg_catalog', 'information_schema')) as views,
            (select jsonb_agg(jsonb_build_object('name', p.proname, 'types', array(select format_type(t, null) from unnest(p.proargtypes) t)) order by p.oid)
               from pg_proc p where p.pronamespace = 'db'::regnamespace) as calls`,
  );
  const { settings, views, calls } = rows[0]!;
  const argument = (type: string): string => `${ARGUMENTS[type]?.(victim) ?? "null"}::${type}`;
  return {
    victim,
    owner,
    settings: [...settings, ...["app.capability", "app.tenant_id", "app.system", "app.role", "app.operator"]],
    views,
    calls: calls.map(({ name, types }) => `select db.${name}(${types.map(argument).join(", ")})`),
  };
}

/** One attempt: statements of one transaction, in order. */
export function hostileStatements(random: Random, { victim, owner, settings, views, calls }: Names): string[] {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const table = pick(TABLES);
  const id = table === "auth.organisation" ? "id" : "tenant_id";
  const schema = pick(EVIL_SCHEMAS);
  const token = pick([victim, `tenant ${victim}`, "system", "on", "", "true", "0".repeat(64), newId()]);
  const role = pick([owner, "postgres", "groundwork_app", "none", "pg_database_owner", "pg_read_server_files"]);
  const setting = pick(["app.capability", "app.tenant_id", "app.system", "app.role", "app.operator"]);
  const isLocal = pick(["true", "false"]);
  const anywhere = {
    setting: pick(settings),
    value: quoted(pick([token, "0", "1", "on", "off", "default", schema, role])),
  };
  const call = pick([
    `set_config('${setting}', ${quoted(token)}, ${isLocal})`,
    `set_config('role', ${quoted(role)}, ${isLocal})`,
    `set_config('session_authorization', ${quoted(owner)}, ${isLocal})`,
    `set_config('row_security', 'off', ${isLocal})`,
    `set_config('search_path', '${schema}, pg_catalog', ${isLocal})`,
    `set_config('session_replication_role', 'replica', ${isLocal})`,
    `set_config('${anywhere.setting}', ${anywhere.value}, ${isLocal})`,
    `set_config('app.capability', (select encode(hash, 'hex') from db.capability limit 1), ${isLocal})`,
  ]);
  const command = pick([
    `set ${pick(["", "local ", "session "])}role ${role === "none" ? "none" : `"${role}"`}`,
    "reset role",
    `set session authorization "${owner}"`,
    "reset session authorization",
    "set session authorization default",
    "reset all",
    "discard all",
    "set row_security = off",
    `set ${setting} = ${quoted(token)}`,
    `set search_path = ${schema}, pg_catalog`,
    `set ${anywhere.setting} = ${anywhere.value}`,
    `set local ${anywhere.setting} to default`,
    `reset ${anywhere.setting}`,
    "set default_transaction_read_only = on",
    "set statement_timeout = 1",
    `alter table ${table} disable row level security`,
    `alter table ${table} no force row level security`,
    `drop policy tenant_isolation on ${table}`,
    `create policy mine on ${table} using (true)`,
    `grant all on ${table} to public`,
    `alter table ${table} owner to current_user`,
    "alter role current_user superuser",
    "alter role current_user bypassrls",
    `grant "${owner}" to current_user`,
    "select pg_reload_conf()",
    `truncate ${table}`,
    `lock table ${table} in access exclusive mode nowait`,
    "create extension if not exists dblink",
    "alter function db.is_system() rename to was_system",
    "create or replace function db.is_system() returns boolean language sql as 'select true'",
    "create or replace function db.current_tenant() returns uuid language sql as $$ select null::uuid $$",
  ]);
  const read = pick([
    `select * from ${table}`,
    `select * from ${table} where ${id} = ${quoted(victim)}`,
    `select t::text from ${table} t, (select ${call}) as s`,
    `with s as materialized (select ${call}) select t.* from s, ${table} t`,
    `select (select string_agg(t::text, ',') from ${table} t) from (select ${call}) s`,
    `select t::text::int from ${table} t`,
    `select 1 / (case when exists (select 1 from ${table} where ${id} = ${quoted(victim)}) then 0 else 1 end)`,
    `explain analyze select * from ${table} t where t::text like '%a%'`,
    `select query_to_xml('select * from ${table}', true, false, '')`,
    `select table_to_xml('${table}', true, false, '')`,
    `select database_to_xml(true, false, '')`,
    `select * from pg_stats where schemaname || '.' || tablename = '${table}'`,
    `select stavalues1::text, stavalues2::text from pg_statistic where starelid = '${table}'::regclass`,
    "select * from pg_stat_activity",
    "select * from pg_prepared_statements",
    "select * from pg_cursors",
    "select rolname, rolpassword from pg_authid",
    "select * from pg_largeobject",
    `select * from ${pick(views)}`,
    "select encode(hash, 'hex'), of_tenant from db.capability",
    "select db.is_system(), db.current_tenant()",
    `select pg_read_file('${pick(["pg_hba.conf", "postgresql.conf", "PG_VERSION"])}')`,
    `select lo_import('/etc/passwd')`,
    "copy (select 1) to program 'id'",
    `copy ${table} to stdout`,
    `select ts_stat.* from ts_stat('select to_tsvector(t::text) from ${table} t')`,
    `select * from ${table} tablesample system (100)`,
    `select ctid, xmin, * from ${table}`,
    `select * from ${table} for update skip locked`,
    `select min(t::text), max(t::text) from ${table} t`,
  ]);
  const write = pick([
    `update ${table} set ${id} = ${id} where ${id} = ${quoted(victim)}`,
    `delete from ${table} where ${id} = ${quoted(victim)}`,
    `delete from ${table} where ${id} <> (select db.current_tenant())`,
    `insert into ${table} (${id}) values (${quoted(victim)})`,
    `insert into queues.tenant_turn (tenant_id, queue, finish_tag) values (${quoted(victim)}, 'planted', 1)`,
    `insert into queues.tenant_turn (tenant_id, queue, finish_tag) select db.current_tenant(), t::text, 1 from ${table} t where ${id} = ${quoted(victim)}`,
    `insert into db.capability (hash, key_id) values (sha256('mine'), '\\x00000000')`,
    `insert into db.capability (hash, of_tenant, key_id) values (sha256('mine'), ${quoted(victim)}, '\\x00000000')`,
    `update db.capability set of_tenant = null`,
    "delete from db.capability",
    "truncate db.capability",
    `select db.admit_system(sha256('mine'), '\\x00000000')`,
    `select db.admit_tenant(sha256('mine'), ${quoted(victim)}, '\\x00000000')`,
    pick(calls),
    pick(calls),
    "select db.retire_master_key((select key_id from db.capability limit 1))",
    "update db.master_key set retired_at = now()",
    `select db.dismiss_tenant(${quoted(victim)})`,
    `select db.protect_tenant_table('${table}')`,
    `merge into ${table} t using (select 1) s on t.${id} = ${quoted(victim)} when matched then delete`,
    `with gone as (delete from ${table} where ${id} = ${quoted(victim)} returning *) select * from gone`,
    "select set_config('app.capability', 'mine', false)",
  ]);
  const body = pick([read, write, command, `select ${call}`]);
  const dynamic = `begin execute ${quoted(body)}; exception when others then raise notice '%', sqlerrm; end`;
  const carried = pick<() => string[]>([
    () => [command, read],
    () => [`select ${call}`, read],
    () => [`select ${call}`, write],
    () => [command, write],
    () => [read],
    () => [write],
    () => [`do $do$ ${dynamic} $do$`, read],
    () => [`prepare hostile as ${read}`, command, "execute hostile"],
    () => [`declare held cursor with hold for ${read}`, "fetch all from held"],
    () => [`create temp table kept as ${read}`, "select * from kept"],
    () => [`create domain pg_temp.uuid as pg_catalog.text check (set_config('app.capability', '', false) is not null)`],
    () => [
      `create schema if not exists ${schema}`,
      `create or replace function ${schema}.f() returns text language plpgsql security definer as $f$ ${dynamic.replace("end", "return 1; end")}; return 1; end $f$`,
      `select ${schema}.f()`,
      read,
    ],
    () => [
      `create schema if not exists ${schema}`,
      `create or replace function ${schema}.same(pg_catalog.uuid, pg_catalog.uuid) returns boolean language sql as 'select true'`,
      `create operator ${schema}.= (leftarg = pg_catalog.uuid, rightarg = pg_catalog.uuid, function = ${schema}.same)`,
      `set search_path = ${schema}, pg_catalog`,
      `select * from ${table} where ${id} = ${quoted(victim)}`,
    ],
    () => [
      `create schema if not exists ${schema}`,
      `create or replace function ${schema}.peek(text) returns boolean language plpgsql cost 0.0000001 as $f$ begin raise notice '%', $1; return true; end $f$`,
      `select * from ${table} t where ${schema}.peek(t::text)`,
    ],
    () => [
      `create schema if not exists ${schema}`,
      `create or replace view ${schema}.v as select * from ${table}`,
      `grant usage on schema ${schema} to public`,
      `select * from ${schema}.v`,
    ],
    () => [
      `create schema if not exists ${schema}`,
      `create table if not exists ${schema}.late (n int)`,
      `create or replace function ${schema}.leave() returns trigger language plpgsql as $f$ begin perform set_config('search_path', '${schema}', false), set_config('${setting}', ${quoted(token)}, false); return null; end $f$`,
      `create constraint trigger later after insert on ${schema}.late deferrable initially deferred for each row execute function ${schema}.leave()`,
      `insert into ${schema}.late values (1)`,
    ],
    () => [`listen hostile`, `notify hostile, ${quoted(token)}`, "select pg_advisory_lock(4711)", read],
    () => [`select lo_from_bytea(0, 'x')`, read],
  ]);
  return carried();
}

export interface Attempted {
  /** Everything that came back: rows, errors, notices. */
  text: string;
}

/** Runs one attempt in a transaction of the tenant and commits what can be. Past controlMisuse: what holds is the database. */
export async function attempt(
  client: pg.PoolClient,
  isolation: Isolation,
  tenantId: TenantId,
  statements: readonly string[],
): Promise<Attempted> {
  const seen: unknown[] = [];
  const listen = (notice: unknown): void => void seen.push(String(notice));
  client.on("notice", listen);
  await sendPipelined(client, [{ text: "begin" }, scopeStatement({ kind: "tenant", tenantId }, isolation, 2_000)]);
  for (const text of [...statements, ...TABLES.map((table) => `select * from ${table}`)]) {
    try {
      await client.query("savepoint before");
      // A copy to the client or a statement of several would take another protocol: the simple one, as an injection might.
      seen.push((await client.query(text)).rows);
    } catch (error) {
      seen.push({ ...(error as object), message: (error as Error).message });
      await client.query("rollback to before").catch(() => undefined);
    }
  }
  await client.query("commit").catch((error: unknown) => seen.push(String(error)));
  client.off("notice", listen);
  return { text: JSON.stringify(seen, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)) };
}

/** A judge is not in a hurry: only what an attacker runs is ended after two seconds. */
const LOOK_LIMIT_MS = 60_000;

/** What the connection's next user finds; `whole`, with every setting that somebody set (an extension that is loaded adds its defaults). */
export async function lookAround(
  client: pg.PoolClient,
  isolation: Isolation,
  tenantId: TenantId,
  whole: boolean,
): Promise<Record<string, unknown>> {
  const results = await sendPipelined(client, [
    { text: "begin" },
    scopeStatement({ kind: "tenant", tenantId }, isolation, LOOK_LIMIT_MS),
    {
      text: `select current_setting('search_path') as path, current_user::text as acts_as, session_user::text as login, current_setting('row_security') as row_security,
        current_setting('default_transaction_read_only') as read_only, nullif(current_setting('app.system', true), '') as system, nullif(current_setting('app.tenant_id', true), '') as tenant,
        (select db.current_tenant())::text = '${tenantId}' as is_own, (select db.is_system()) as is_system, (select count(*)::int from pg_cursors where is_holdable) as held,
        (select count(*)::int from pg_class where relnamespace = pg_my_temp_schema()) as temporary, (select count(*)::int from queues.tenant_turn) as turns,
        (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks,
        (select count(*)::int from pg_prepared_statements where name <> '') as prepared, (select count(*)::int from pg_listening_channels()) as channels
        ${whole ? ", (select jsonb_object_agg(name, setting) from pg_settings where source <> 'default') as settings" : ""}`,
    },
    { text: "rollback" },
  ]);
  return results[2]?.rows[0] ?? {};
}

export const newTenant = (): TenantId => tenantIdFrom(newId());
