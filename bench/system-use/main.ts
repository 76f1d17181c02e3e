// What it costs to leave a trace of each use of the system's scope: `npm run bench:system-use -- postgresql://…`, a superuser's
// address of a scratch database on native Postgres. One small statement in one message, that reads (as most do) or
// writes (as a claim of the relay does), by 32 clients, in turns so that a busy machine slows all ways alike:
//   none        nothing is left
//   counted     counted in the process, written every ten seconds: what the app does
//   appended    a row for each use, in the same message
//   counted up  one row for each reason and hour that every use counts up, in the same message
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { admitSystem, useMasterKey } from "../../db/capability";
import { sendPipelined, type Statement } from "../../db/pipeline";
import { scopeStatement } from "../../db/scope";
import { UseCounter } from "../../db/use-counter";

const CLIENTS = 32;
const ROUNDS = 4;
const ROUND_MS = 1_500;
const SCHEMA = "bench_system_use";
const LOGIN = "bench_system_use";

async function prepare(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query("select 1 from pg_namespace where nspname = 'db'");
  if (rows.length === 0)
    await pool.query(readFileSync(join(import.meta.dirname, "../../migrations/1_create_foundation.up.sql"), "utf8"));
  await pool.query(`drop schema if exists ${SCHEMA} cascade; create schema ${SCHEMA};
    create table ${SCHEMA}.work (id int primary key, claimed int not null) with (fillfactor = 50);
    insert into ${SCHEMA}.work select n, 0 from generate_series(1, ${CLIENTS}) n;
    create table ${SCHEMA}.appended (at timestamptz not null, reason text not null);
    create index on ${SCHEMA}.appended (at);
    create table ${SCHEMA}.counted (hour timestamptz, reason text, uses bigint not null, last_at timestamptz not null, primary key (hour, reason)) with (fillfactor = 50);
    select db.protect_system_table('${SCHEMA}.work'), db.protect_system_table('${SCHEMA}.appended'), db.protect_system_table('${SCHEMA}.counted');
    drop role if exists ${LOGIN}; create role ${LOGIN} login password '${LOGIN}'; grant pg_read_all_data, pg_write_all_data to ${LOGIN}`);
  useMasterKey(() => "the-master-key-of-a-benchmark-protects-nothing");
  const client = await pool.connect();
  await admitSystem(client);
  client.release();
}

const TRACES: Record<string, Statement[]> = {
  none: [],
  counted: [],
  appended: [{ text: `insert into ${SCHEMA}.appended values (now(), $1)`, values: ["relay-claim"] }],
  "counted up": [
    {
      text: `insert into ${SCHEMA}.counted as known values (date_trunc('hour', now()), $1, 1, now()) on conflict (hour, reason) do update set uses = known.uses + 1, last_at = now()`,
      values: ["relay-claim"],
    },
  ],
};

const WORKS = {
  read: `select claimed from ${SCHEMA}.work where id = $1`,
  write: `update ${SCHEMA}.work set claimed = claimed + 1 where id = $1`,
};

async function perSecond(pool: pg.Pool, text: string, way: string, use: UseCounter): Promise<number> {
  const endsAtMs = performance.now() + ROUND_MS;
  let done = 0;
  const startedAtMs = performance.now();
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, n) => {
      while (performance.now() < endsAtMs) {
        if (way === "counted") use.note("relay-claim");
        const client = await pool.connect();
        const work = { text, values: [n + 1] };
        const setting = scopeStatement({ kind: "system", reason: "relay-claim" }, { role: null }, 5_000);
        await sendPipelined(client, [setting, ...(TRACES[way] ?? []), work], true);
        client.release();
        done++;
      }
    }),
  );
  return done / ((performance.now() - startedAtMs) / 1000);
}

async function main(address: string): Promise<void> {
  const owner = new pg.Pool({ connectionString: address, max: 1 });
  await prepare(owner);
  const url = new URL(address);
  url.username = url.password = LOGIN;
  const pool = new pg.Pool({ connectionString: url.href, max: CLIENTS });
  const use = new UseCounter(async (uses) => {
    const text = `insert into ${SCHEMA}.counted as known select date_trunc('hour', now()), r, n, now() from unnest($1::text[], $2::bigint[]) u (r, n) on conflict (hour, reason) do update set uses = known.uses + excluded.uses`;
    const client = await pool.connect();
    const values = [uses.map(({ reason }) => reason), uses.map(({ uses: n }) => n)];
    const setting = scopeStatement({ kind: "system", reason: "note-system-use" }, { role: null }, 5_000);
    await sendPipelined(client, [setting, { text, values }], true);
    client.release();
  }, ROUND_MS / 3);
  const rates: Record<string, number[]> = {};
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [work, text] of Object.entries(WORKS)) {
      for (const way of Object.keys(TRACES)) {
        const rate = await perSecond(pool, text, way, use);
        if (round > 0) (rates[`${work}, ${way}`] ??= []).push(rate);
      }
    }
  }
  for (const [way, found] of Object.entries(rates)) {
    const sorted = [...found].sort((a, b) => a - b);
    process.stdout.write(`${way.padEnd(18)}${Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)} uses/s\n`);
  }
  await use.flush();
  await pool.end();
  await owner.query(`drop schema ${SCHEMA} cascade; drop role ${LOGIN}`);
  await owner.end();
}

const [url] = process.argv.slice(2);
if (url === undefined) {
  process.stderr.write(
    "usage: npm run bench:system-use -- postgresql://user:password@host/database (a superuser's, of a scratch database: a schema is made and dropped)\n",
  );
  process.exitCode = 2;
} else await main(url);
