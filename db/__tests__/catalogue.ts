// What Postgres' own catalogue says about the protection of every table, and what is wrong with it. The expected
// texts stand here a second time on purpose: a change of the policy function must change them too.
import type pg from "pg";

const IS_SYSTEM = "( SELECT db.is_system() AS is_system)";
const SYSTEM_ONLY = `booleq(booleq(${IS_SYSTEM}, true), true)`;
/** As Postgres writes it, without its line breaks. */
const tenantPolicy = (column: string): string =>
  `CASE WHEN booleq((${column} = ( SELECT db.current_tenant() AS current_tenant)), true) THEN true ELSE ${IS_SYSTEM} END`;

/** Functions that run with their owner's rights, each of which asks for the token first; or a trigger's, which nobody calls. */
const DEFINERS = [
  "db.admit_system(bytea,bytea)",
  "db.admit_tenant(bytea,uuid,bytea)",
  "db.current_tenant()",
  "db.dismiss_tenant(uuid)",
  "db.installation()",
  "db.is_system()",
  "db.list_master_keys()",
  "db.retire_master_key(bytea)",
  "events.tell_hold()",
  "vectors.find_words(text,uuid[],integer,integer,text,jsonb)",
  "vectors.keep_words()",
];

/** The caller's temporary schema is searched first, for types and tables, unless it is named. */
const DEFINER_PATH = "search_path=pg_catalog, pg_temp";

/** Tables without `tenant_id`, and the schemas of others: how each is protected, or why it needs no policy. */
const WITHOUT_TENANT_ID: Record<
  string,
  { tenantColumn: string } | { systemOnly: string } | { closed: string } | { open: string }
> = {
  "auth.organisation": { tenantColumn: "id" },
  "auth.account": { systemOnly: "one person may work in several organisations" },
  "mail.message": { systemOnly: "mails are addressed to people" },
  "auth.session": { systemOnly: "a session belongs to an account, whichever organisation it has chosen" },
  "auth.one_time_token": { systemOnly: "links are mailed to people, whatever organisation they chose" },
  "auth.totp": { systemOnly: "factors belong to an account, in whatever organisation" },
  "auth.identity": { systemOnly: "who people are elsewhere belongs to an account, in whatever organisation" },
  "auth.passkey": { systemOnly: "factors belong to an account, in whatever organisation" },
  "auth.recovery_code": { systemOnly: "factors belong to an account, in whatever organisation" },
  "auth.used_challenge": { systemOnly: "challenges belong to an account, in whatever organisation" },
  "auth.revocation": { systemOnly: "what every process reads to refuse access tokens" },
  "auth.operator": { systemOnly: "the platform's staff are in no organisation" },
  "auth.operator_link": { systemOnly: "the platform's staff are in no organisation" },
  "auth.operator_session": { systemOnly: "the platform's staff are in no organisation" },
  "auth.signing_key": { systemOnly: "the keys of the whole installation" },
  "queues.schedule": { systemOnly: "the installation's own jobs: their runs belong to no organisation" },
  "events.consumer_hold": { systemOnly: "which consumers the platform's staff paused" },
  "events.held_consumer": {
    open: "the names of consumers that are held, which every transaction asks before it begins an event",
  },
  "events.replay": { systemOnly: "which events the platform's staff sent to a consumer again, by time and type" },
  "events.consumer_declaration": { systemOnly: "which events the versions of the app that run have handlers for" },
  "db.system_use": { systemOnly: "how often the installation acted outside of any tenant" },
  "db.capability": { closed: "hashes of tokens: for the functions that row security asks, and nobody else" },
  "db.master_key": { closed: "ids of master keys: for the same functions, and nobody else" },
  "vectors.word": {
    closed: "words of chunks: for the function that finds them for the token's tenant, and nobody else",
  },
  "public.schema_migrations": { open: "which migrations were applied: numbers, nothing of a tenant" },
  "public.schema_migration_checksums": { open: "the digests of those migrations, nothing of a tenant" },
};

/** Whether a table has nothing of tenants or people, or nothing that the app's login may read or write. */
export function isOfNobody(table: string): boolean {
  const protection = WITHOUT_TENANT_ID[table];
  return protection !== undefined && ("closed" in protection || "open" in protection);
}

/** Schemas that their owners make and migrate, and that no statement of ours reads. */
const FOREIGN_SCHEMAS: Record<string, string> = {
  bullmq: "BullMQ's own: reached by its pool alone, which no request's statement uses",
  groundwork: "the host's own: cron ticks, topics' transport and checksums, reached by the host's connections alone",
};

export interface ProtectedTable {
  name: string;
  schema: string;
  kind: string;
  has_tenant_id: boolean;
  enabled: boolean;
  forced: boolean;
  policies: { name: string; command: string; permissive: boolean; roles: string[]; using: string; check: string }[];
  leading: string[];
  app_may: boolean;
  rights: string[];
  invoker: boolean;
}

const TABLES = `
  select n.nspname || '.' || c.relname as name, n.nspname as schema, c.relkind as kind, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
         exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) as has_tenant_id,
         coalesce((select jsonb_agg(jsonb_build_object('name', p.polname, 'command', p.polcmd, 'permissive', p.polpermissive, 'roles', p.polroles::regrole[]::text[],
                     'using', btrim(regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\\s+', ' ', 'g')), 'check', btrim(regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\\s+', ' ', 'g')))) from pg_policy p where p.polrelid = c.oid), '[]') as policies,
         array(select a.attname::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
                where i.indrelid = c.oid and i.indisvalid and i.indpred is null) as leading,
         has_schema_privilege(current_user, n.oid, 'usage') and has_table_privilege(current_user, c.oid, 'select')
           and has_table_privilege(current_user, c.oid, 'insert') and has_table_privilege(current_user, c.oid, 'update') and has_table_privilege(current_user, c.oid, 'delete') as app_may,
         array(select case when g.grantee = 0 then 'public' else g.grantee::regrole::text end || ' ' || lower(g.privilege_type)
                 from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g where g.grantee <> c.relowner order by 1) as rights,
         coalesce(c.reloptions @> array['security_invoker=true'], false) as invoker
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_t%' escape '\\'
     and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
   order by 1`;

/** Every table, view and foreign table of ours, as it is. */
export async function readTables(client: pg.ClientBase): Promise<ProtectedTable[]> {
  const found = await client.query<ProtectedTable>(TABLES);
  return found.rows.filter((table) => !Object.hasOwn(FOREIGN_SCHEMAS, table.schema));
}

interface ExpectedPolicy {
  name: string;
  text: string;
  /** What an index must start with; a table for the system alone needs none. */
  tenantColumn?: string;
}

function expectedPolicy(table: ProtectedTable): ExpectedPolicy | undefined {
  const own = WITHOUT_TENANT_ID[table.name];
  const tenantColumn = table.has_tenant_id ? "tenant_id" : own && "tenantColumn" in own ? own.tenantColumn : undefined;
  if (tenantColumn !== undefined) return { name: "tenant_isolation", tenantColumn, text: tenantPolicy(tenantColumn) };
  return own && "systemOnly" in own ? { name: "system_only", text: SYSTEM_ONLY } : undefined;
}

function complaintsOf(table: ProtectedTable): string[] {
  if (table.kind === "v")
    return table.invoker ? [] : ["is a view that shows what its owner sees: with (security_invoker)"];
  if (table.kind !== "r" && table.kind !== "p") return ["is of a kind that row security does not reach"];
  if (!table.has_tenant_id && !Object.hasOwn(WITHOUT_TENANT_ID, table.name))
    return ["has no tenant_id, and no reason why it needs none"];
  const found: string[] = [];
  if (table.rights.some((right) => !/^groundwork_app (select|insert|update|delete)$/.test(right)))
    found.push(`gives rights to others: ${table.rights.join(", ")}`);
  const protection = WITHOUT_TENANT_ID[table.name];
  if (protection !== undefined && "closed" in protection)
    return [
      ...found,
      ...(table.enabled && table.policies.length === 0 && table.rights.length === 0 ? [] : ["is open"]),
    ];
  const expected = expectedPolicy(table);
  return expected === undefined ? found : [...found, ...complaintsOfProtection(table, expected)];
}

function complaintsOfProtection(table: ProtectedTable, expected: ExpectedPolicy): string[] {
  const { name, text, tenantColumn } = expected;
  const wanted = { name, command: "*", permissive: true, roles: ["-"], using: text, check: text };
  const found: string[] = [];
  if (!table.enabled || !table.forced) found.push("has no forced row security");
  if (!table.app_may) found.push("may not be read and written by the role that the app acts as");
  if (JSON.stringify(sorted(table.policies)) !== JSON.stringify(sorted([wanted])))
    found.push(`has not the one policy that is expected: ${JSON.stringify(table.policies)}`);
  if (tenantColumn !== undefined && !table.leading.includes(tenantColumn))
    found.push(`has no index that starts with ${tenantColumn}`);
  return found;
}

const sorted = (policies: ProtectedTable["policies"]): unknown =>
  policies.map((policy) => Object.entries(policy).sort(([a], [b]) => (a < b ? -1 : 1)));

/** What is wrong, a line each; empty when every table is protected as it must be. */
export async function complaints(client: pg.ClientBase): Promise<string[]> {
  const tables = await readTables(client);
  const definers = await client.query<{ name: string; settings: string[] | null }>(
    `select p.oid::regprocedure::text as name, p.proconfig as settings from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema') and not (n.nspname = any($1))`,
    [Object.keys(FOREIGN_SCHEMAS)],
  );
  return [
    ...tables.flatMap((table) => complaintsOf(table).map((text) => `${table.name} ${text}`)),
    ...definers.rows
      .filter(({ name }) => !DEFINERS.includes(name))
      .map(({ name }) => `${name} runs with its owner's rights`),
    ...definers.rows
      .filter(({ settings }) => !(settings ?? []).includes(DEFINER_PATH))
      .map(({ name }) => `${name} looks up names where its caller may have put some`),
  ];
}
