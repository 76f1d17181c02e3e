// What row security costs a read: `npm run bench:tenant-read -- postgresql://…`, a superuser's address of a scratch database on
// native Postgres. Ways to read one row of a tenant by its id, same rows, same pool, in turns so that a busy machine slows all
// of them alike:
//   explicit         WHERE tenant_id = … on a table without row security: the yardstick
//   named            row security that compares with a setting which any statement can change, setting and statement in one message:
//                    what tenantQuery did before the scope was a capability, without a reset of the session
//   pipelined        row security that asks for a token, in one message with the session's reset: what tenantQuery does
//   named folded, folded  the same two in a transaction whose BEGIN travels with the first statement: what withTenant did and does
//   naive            the same with BEGIN, set_config, SELECT and COMMIT sent one by one
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { admitSystem, admitTenant, useMasterKey } from "../../db/capability";
import { sendPipelined, type Statement } from "../../db/pipeline";
import { scopeStatement, type Isolation } from "../../db/scope";
import type { TenantId } from "../../security/principal";

const TENANTS = 100;
const ROWS_PER_TENANT = 1_000;
const CLIENTS = 64;
const POOL = 20;
const ROUNDS = 4;
const ROUND_MS = 1_500;
const STATEMENT_TIMEOUT_MS = 5_000;
const SCHEMA = "bench_tenant_read";
/** A login as an app has it in production and under Encore: row security binds it, and it becomes nobody else. */
const LOGIN = "bench_tenant_read";

type Read = (client: pg.PoolClient, tenantId: TenantId, id: number) => Promise<number>;

const tenantAt = (n: number): TenantId => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}` as TenantId;

async function prepare(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query("select 1 from pg_namespace where nspname = 'db'");
  if (rows.length === 0)
    await pool.query(readFileSync(join(import.meta.dirname, "../../migrations/1_create_foundation.up.sql"), "utf8"));
  await pool.query(`drop schema if exists ${SCHEMA} cascade; create schema ${SCHEMA}`);
  for (const table of ["open", "named", "guarded"]) {
    await pool.query(
      `create table ${SCHEMA}.${table} (tenant_id uuid not null, id int not null, body text not null, primary key (tenant_id, id))`,
    );
    await pool.query(
      `insert into ${SCHEMA}.${table} select ('00000000-0000-7000-8000-' || lpad(t::text, 12, '0'))::uuid, n, repeat('x', 200) from generate_series(1, $1) t, generate_series(1, $2) n`,
      [TENANTS, ROWS_PER_TENANT],
    );
    await pool.query(`analyze ${SCHEMA}.${table}`);
  }
  await pool.query(
    `select db.protect_tenant_table('${SCHEMA}.guarded');
     alter table ${SCHEMA}.named enable row level security; alter table ${SCHEMA}.named force row level security;
     create policy tenant_isolation on ${SCHEMA}.named using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid or current_setting('app.system', true) = 'on');
     drop role if exists ${LOGIN}; create role ${LOGIN} login password '${LOGIN}'; grant pg_read_all_data to ${LOGIN}`,
  );
  useMasterKey(() => "the-master-key-of-a-benchmark-protects-nothing");
  const client = await pool.connect();
  await admitSystem(client);
  client.release();
  for (let n = 1; n <= TENANTS; n++) await admitTenant(pool, tenantAt(n), () => pool.connect());
}

function readsOf(isolation: Isolation): Record<string, Read> {
  const from = (table: string): string => `select id, body from ${SCHEMA}.${table} where tenant_id = $1 and id = $2`;
  const scopeOf = (tenantId: TenantId): Statement =>
    scopeStatement({ kind: "tenant", tenantId }, isolation, STATEMENT_TIMEOUT_MS);
  const nameOf = (tenantId: TenantId): Statement => ({
    text: "select set_config('app.tenant_id', $1, true), set_config('app.system', $2, true), set_config('statement_timeout', $3, true)",
    values: [tenantId, "", String(STATEMENT_TIMEOUT_MS)],
  });
  const pipelined =
    (setting: (tenantId: TenantId) => Statement, table: string, endsUse: boolean): Read =>
    async (client, tenantId, id) =>
      (await sendPipelined(client, [setting(tenantId), { text: from(table), values: [tenantId, id] }], endsUse))[1]
        ?.rows.length ?? 0;
  const folded =
    (setting: (tenantId: TenantId) => Statement, table: string, endsUse: boolean): Read =>
    async (client, tenantId, id) => {
      const opening = [{ text: "begin" }, setting(tenantId), { text: from(table), values: [tenantId, id] }];
      const results = await sendPipelined(client, opening);
      await sendPipelined(client, [{ text: "commit" }], endsUse);
      return results[2]?.rows.length ?? 0;
    };
  return {
    explicit: async (client, tenantId, id) => (await client.query(from("open"), [tenantId, id])).rows.length,
    named: pipelined(nameOf, "named", false),
    pipelined: pipelined(scopeOf, "guarded", true),
    "named folded": folded(nameOf, "named", false),
    folded: folded(scopeOf, "guarded", true),
    naive: async (client, tenantId, id) => {
      await client.query("begin");
      await client.query("select set_config('app.tenant_id', $1, true)", [tenantId]);
      const found = await client.query(from("named"), [tenantId, id]);
      await client.query("commit");
      return found.rows.length;
    },
  };
}

/** Reads for `durationMs` with all clients at once; resolves with reads per second. Throws when a read finds nothing. */
async function measure(pool: pg.Pool, read: Read, durationMs: number): Promise<number> {
  const endsAt = performance.now() + durationMs;
  let reads = 0;
  const client = async (number: number): Promise<void> => {
    for (let n = number; performance.now() < endsAt; n += 7) {
      const tenantId = tenantAt((n % TENANTS) + 1);
      const connection = await pool.connect();
      const found = await read(connection, tenantId, ((n * 31) % ROWS_PER_TENANT) + 1);
      connection.release();
      if (found !== 1) throw new Error(`a read found ${found} rows instead of one`);
      reads++;
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  return reads / ((performance.now() - startedAt) / 1000);
}

const appAddress = (url: string): string => Object.assign(new URL(url), { username: LOGIN, password: LOGIN }).href;

async function main(url: string): Promise<void> {
  const owner = new pg.Pool({ connectionString: url, max: 1 });
  await prepare(owner);
  const pool = new pg.Pool({ connectionString: appAddress(url), max: POOL });
  const reads = readsOf({ role: null });
  const totals = new Map(Object.keys(reads).map((name) => [name, 0]));
  for (const read of Object.values(reads)) await measure(pool, read, 500);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, read] of Object.entries(reads))
      totals.set(name, (totals.get(name) ?? 0) + (await measure(pool, read, ROUND_MS)) / ROUNDS);
  }
  const yardstick = totals.get("explicit") ?? Number.NaN;
  for (const [name, perSecond] of totals)
    process.stdout.write(
      `${name.padEnd(13)} ${Math.round(perSecond).toString().padStart(7)} reads/s   ${(perSecond / yardstick).toFixed(2)} of explicit\n`,
    );
  await pool.end();
  await owner.query(`drop schema ${SCHEMA} cascade; drop role ${LOGIN}`);
  await owner.end();
}

const [url] = process.argv.slice(2);
if (url === undefined) {
  process.stderr.write(
    "usage: npm run bench:tenant-read -- postgresql://user:password@host/database (a superuser's, of a scratch database: a schema is made and dropped)\n",
  );
  process.exitCode = 2;
} else await main(url);
