// What row security costs a read: `node scripts/run-ts.mjs bench/tenant-read/main.ts postgresql://…`, against native Postgres.
// Four ways to read one row of a tenant by its id, same rows, same pool, in turns so that a busy machine
// slows all of them alike:
//   explicit   WHERE tenant_id = … on a table without row security: the yardstick
//   pipelined  row security, setting and statement in one message (db/pipeline.ts): what tenantQuery does
//   folded     row security in a transaction whose BEGIN travels with the first statement: what withTenant does
//   naive      BEGIN, set_config, SET ROLE, SELECT, COMMIT, one round trip each
import pg from "pg";
import { sendPipelined } from "../../db/pipeline";
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

type Read = (client: pg.PoolClient, tenantId: TenantId, id: number) => Promise<number>;

async function prepare(pool: pg.Pool): Promise<Isolation> {
  await pool.query(`drop schema if exists ${SCHEMA} cascade; create schema ${SCHEMA}`);
  for (const table of ["open", "guarded"]) {
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
    `alter table ${SCHEMA}.guarded enable row level security; alter table ${SCHEMA}.guarded force row level security;
     create policy tenant_isolation on ${SCHEMA}.guarded using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid or current_setting('app.system', true) = 'on')`,
  );
  const found = await pool.query<{ bypasses: boolean }>(
    "select rolsuper or rolbypassrls as bypasses from pg_roles where rolname = current_user",
  );
  if (found.rows[0]?.bypasses !== true) return { role: null };
  await pool.query("do $$ begin create role groundwork_app nologin; exception when duplicate_object then null; end $$");
  await pool.query(
    `grant usage on schema ${SCHEMA} to groundwork_app; grant select on all tables in schema ${SCHEMA} to groundwork_app`,
  );
  return { role: "groundwork_app" };
}

function readsOf(isolation: Isolation): Record<string, Read> {
  const explicit = `select id, body from ${SCHEMA}.open where tenant_id = $1 and id = $2`;
  const guarded = `select id, body from ${SCHEMA}.guarded where tenant_id = $1 and id = $2`;
  const scopeOf = (tenantId: TenantId) => scopeStatement({ kind: "tenant", tenantId }, isolation, STATEMENT_TIMEOUT_MS);
  return {
    explicit: async (client, tenantId, id) => (await client.query(explicit, [tenantId, id])).rows.length,
    pipelined: async (client, tenantId, id) =>
      (await sendPipelined(client, [scopeOf(tenantId), { text: guarded, values: [tenantId, id] }]))[1]?.rows.length ??
      0,
    folded: async (client, tenantId, id) => {
      const results = await sendPipelined(client, [
        { text: "begin" },
        scopeOf(tenantId),
        { text: guarded, values: [tenantId, id] },
      ]);
      await client.query("commit");
      return results[2]?.rows.length ?? 0;
    },
    naive: async (client, tenantId, id) => {
      await client.query("begin");
      await client.query("select set_config('app.tenant_id', $1, true)", [tenantId]);
      if (isolation.role !== null) await client.query(`set local role ${isolation.role}`);
      const found = await client.query(guarded, [tenantId, id]);
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
      const tenantId = `00000000-0000-7000-8000-${String((n % TENANTS) + 1).padStart(12, "0")}` as TenantId;
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

async function main(url: string): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  const reads = readsOf(await prepare(pool));
  const totals = new Map(Object.keys(reads).map((name) => [name, 0]));
  for (const read of Object.values(reads)) await measure(pool, read, 500);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, read] of Object.entries(reads))
      totals.set(name, (totals.get(name) ?? 0) + (await measure(pool, read, ROUND_MS)) / ROUNDS);
  }
  const yardstick = totals.get("explicit") ?? Number.NaN;
  for (const [name, perSecond] of totals)
    process.stdout.write(
      `${name.padEnd(10)} ${Math.round(perSecond).toString().padStart(7)} reads/s   ${(perSecond / yardstick).toFixed(2)} of explicit\n`,
    );
  await pool.query(`drop schema ${SCHEMA} cascade`);
  await pool.end();
}

const [url] = process.argv.slice(2);
if (url === undefined) {
  process.stderr.write(
    "usage: node scripts/run-ts.mjs bench/tenant-read/main.ts postgresql://user:password@host/database (a scratch database: a schema is made and dropped)\n",
  );
  process.exitCode = 2;
} else await main(url);
