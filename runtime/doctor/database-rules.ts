// What is asked of a database, one statement a rule. None of them writes, and none reads a row of the app's.
import { error, type Finding, type Severity, warning } from "./finding";

export interface DatabaseFacts {
  name: string;
  isProduction: boolean;
  /** The embedded one answers for its own settings. */
  isEmbedded: boolean;
}

export interface Rule {
  sql: string;
  /** By the app's own login, not that of the operator. */
  asApp?: true;
  /** Rows are what is wrong, or what is to be judged. */
  judge(rows: Record<string, string | null>[], facts: DatabaseFacts): Finding[];
}

const listed = (rows: Record<string, string | null>[], limit = 5): string =>
  rows
    .slice(0, limit)
    .map(({ name }) => name ?? "")
    .join(", ") + (rows.length > limit ? ` and ${rows.length - limit} more` : "");

const some =
  (severity: Severity, code: Finding["code"], what: (names: string) => string, remedy: string): Rule["judge"] =>
  (rows) =>
    rows.length === 0 ? [] : [{ code, severity, what: what(listed(rows)), remedy }];

const OWN_TABLE = `c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
  and exists (select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)`;

const MIN_VECTOR = [0, 8, 4] as const;

function isOlder(version: string): boolean {
  const parts = version.split(".").map(Number);
  for (const [at, least] of MIN_VECTOR.entries()) if ((parts[at] ?? 0) !== least) return (parts[at] ?? 0) < least;
  return false;
}

const login: Rule = {
  asApp: true,
  sql: `select r.rolname as name from pg_catalog.pg_roles r
    where (r.rolsuper or r.rolbypassrls) and pg_catalog.pg_has_role(session_user, r.oid, 'member')
    order by r.rolname = session_user desc limit 1`,
  judge: (rows, { name, isProduction }) =>
    rows.length === 0 || !isProduction
      ? []
      : [
          error(
            "login_bypasses_row_security",
            `the login to ${name} is, or may become, ${listed(rows)}, whom row security does not bind`,
            "Make a login for the app that is neither superuser nor BYPASSRLS (docs/doctor.md), and use the other one for migrations only.",
          ),
        ],
};

const rowSecurity: Rule = {
  sql: `select n.nspname || '.' || c.relname as name from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where ${OWN_TABLE} and not (c.relrowsecurity and c.relforcerowsecurity) order by 1`,
  judge: some(
    "error",
    "row_security_off",
    (names) => `row security is off, or not forced, on ${names}, which has rows of organisations`,
    "ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY. Find out who switched it off.",
  ),
};

const openPolicies: Rule = {
  sql: `select n.nspname || '.' || c.relname || ' (' || p.polname || ')' as name
    from pg_catalog.pg_policy p join pg_catalog.pg_class c on c.oid = p.polrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where ${OWN_TABLE} and p.polpermissive
      and (pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true' or pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) = 'true')
      and (p.polroles = '{0}' or exists (select from pg_catalog.unnest(p.polroles) r(oid) join pg_catalog.pg_roles m on m.oid = r.oid
        where m.rolcanlogin or exists (select from pg_catalog.pg_auth_members g where g.roleid = m.oid)))
    order by 1`,
  judge: some(
    "error",
    "row_security_policy_open",
    (names) => `the policy of ${names} lets everybody see every row`,
    "Drop it, or restore the expression that the migration gave it. Find out who changed it.",
  ),
};

const invalidIndexes: Rule = {
  sql: `select n.nspname || '.' || c.relname as name from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace where not (i.indisvalid and i.indisready)
      and not exists (select from pg_catalog.pg_stat_progress_create_index p where p.index_relid = c.oid) order by 1`,
  judge: some(
    "error",
    "index_invalid",
    (names) => `the index ${names} was left half made: it costs every write and helps no read`,
    "REINDEX INDEX CONCURRENTLY it, or drop it and make it again.",
  ),
};

const vector: Rule = {
  sql: `select e.extversion as name from pg_catalog.pg_extension e where e.extname = 'vector'`,
  judge: (rows, { name, isEmbedded }) => {
    const version = rows[0]?.name;
    if (version == null)
      return [
        error(
          "vector_extension_missing",
          `${name} has no pgvector`,
          "Install the server's package of it (postgresql-17-pgvector) and CREATE EXTENSION vector as a superuser.",
        ),
      ];
    if (isEmbedded || !isOlder(version)) return [];
    return [
      warning(
        "vector_extension_old",
        `${name} has pgvector ${version}`,
        `Install ${MIN_VECTOR.join(".")} or newer, then ALTER EXTENSION vector UPDATE: older ones have known faults in parallel index builds.`,
      ),
    ];
  },
};

const connections: Rule = {
  sql: `select (select count(*) from pg_catalog.pg_stat_activity where backend_type = 'client backend')::text as used,
    (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int)::text as most`,
  judge: ([row], { isEmbedded }) => {
    const [used, most] = [Number(row?.used), Number(row?.most)];
    if (isEmbedded || used < most * 0.8) return [];
    return [
      warning(
        "connections_exhausted",
        `${used} of ${most} connections of the server are in use`,
        "Fewer connections a process (DB_POOL_MAX), PgBouncer in between, or a larger max_connections: docs/pooling.md has the sum.",
      ),
    ];
  },
};

const idle: Rule = {
  asApp: true,
  sql: `select current_setting('idle_in_transaction_session_timeout') as name`,
  judge: ([row], { name, isEmbedded }) =>
    isEmbedded || row?.name !== "0"
      ? []
      : [
          warning(
            "idle_transactions_unlimited",
            `a transaction of ${name} that nobody goes on with is never ended: it holds its locks and keeps dead rows`,
            "ALTER ROLE the app's login SET idle_in_transaction_session_timeout = '60s'.",
          ),
        ],
};

const openTransactions: Rule = {
  sql: `select coalesce(nullif(application_name, ''), 'pid ' || pid) as name from pg_catalog.pg_stat_activity
    where xact_start < clock_timestamp() - interval '10 minutes' and backend_type = 'client backend' and pid <> pg_backend_pid()
    union all select 'prepared ' || gid from pg_catalog.pg_prepared_xacts where prepared < clock_timestamp() - interval '10 minutes'`,
  judge: some(
    "warning",
    "transaction_open_long",
    (names) => `transactions have been open for more than ten minutes: ${names}`,
    "End them (pg_terminate_backend, ROLLBACK PREPARED): until then nothing that is deleted is cleared away.",
  ),
};

const statementLog: Rule = {
  asApp: true,
  sql: `select current_setting('log_statement') as statements, current_setting('log_min_duration_statement') as slow,
    current_setting('log_parameter_max_length') as parameters`,
  judge: ([row], { name, isProduction, isEmbedded }) => {
    const logs = row?.statements === "all" || row?.statements === "mod" || row?.slow !== "-1";
    if (!isProduction || isEmbedded || !logs || row?.parameters === "0") return [];
    return [
      error(
        "statement_log_shows_values",
        `the log of ${name} has the values of statements: mail addresses, contents, hashes of passwords`,
        "Set log_parameter_max_length = 0 (and log_parameter_max_length_on_error = 0), or log no statements.",
      ),
    ];
  },
};

const durability: Rule = {
  sql: `select s.name as name from pg_catalog.pg_settings s where s.name in ('fsync', 'full_page_writes', 'synchronous_commit') and s.setting = 'off'`,
  judge: (rows, facts) =>
    facts.isEmbedded || rows.length === 0
      ? []
      : [
          error(
            "database_not_durable",
            `${facts.name} acknowledges what is not on the disk yet (${listed(rows)} off)`,
            "Set them on: a crash of the machine otherwise loses or breaks data.",
          ),
        ],
};

const encryption: Rule = {
  asApp: true,
  sql: `select coalesce((select s.ssl from pg_catalog.pg_stat_ssl s where s.pid = pg_backend_pid()), false)::text as encrypted,
    coalesce(host(inet_client_addr()), '') as client, coalesce(host(inet_server_addr()), '') as server`,
  judge: ([row], { name, isProduction }) =>
    !isProduction || row?.encrypted === "true" || row?.client === row?.server || row?.client?.startsWith("127.")
      ? []
      : [
          warning(
            "database_connection_unencrypted",
            `the connection to ${name} on another machine is not encrypted`,
            "Add sslmode=verify-full to DATABASE_URL, or tls_config to the server in the infra config.",
          ),
        ],
};

const collation: Rule = {
  sql: `select d.datname as name from pg_catalog.pg_database d where d.datname = current_database()
    and d.datcollversion is distinct from pg_catalog.pg_database_collation_actual_version(d.oid) and d.datcollversion is not null`,
  judge: some(
    "error",
    "collation_changed",
    (names) => `the operating system sorts texts otherwise than when the indexes of ${names} were made`,
    "REINDEX DATABASE, then ALTER DATABASE … REFRESH COLLATION VERSION: until then lookups may miss rows.",
  ),
};

export const databaseRules: readonly Rule[] = [
  ...[login, rowSecurity, openPolicies, invalidIndexes, connections, idle, openTransactions],
  ...[statementLog, durability, encryption, collation],
];

/** Of databases whose migrations ask for it. */
export const vectorRule = vector;

const SKEW_MAX_MS = 2_000;

/** @param ownMs this machine's clock in the middle of the question */
export function judgeClock(database: string, theirMs: number, ownMs: number): Finding[] {
  const skewMs = Math.round(theirMs - ownMs);
  if (Math.abs(skewMs) <= SKEW_MAX_MS) return [];
  return [
    warning(
      "clock_skew",
      `the clock of ${database}'s server is ${Math.abs(skewMs)} ms ${skewMs > 0 ? "ahead of" : "behind"} this machine's`,
      "Let both follow the same time (chrony, systemd-timesyncd): tokens and codes end by clocks.",
    ),
  ];
}
