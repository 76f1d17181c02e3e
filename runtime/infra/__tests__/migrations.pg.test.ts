// Migrations beside other sessions, which the embedded database does not have: runners that race with different files,
// a table that somebody holds, a connection that is cut in the middle.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type ClonedDatabase, InfraError, migrate } from "..";
import { runOnServer } from "../database-url";
import { emptyDatabase, removeFolders, temporaryFolder, until } from "./support";

let database: ClonedDatabase;
const quiet = { log: () => undefined };
const rows = (sql: string) => runOnServer(database.url, sql);

beforeAll(async () => {
  const server = process.env.GROUNDWORK_TEST_POSTGRES_URL;
  if (!server) throw new Error("needs GROUNDWORK_TEST_POSTGRES_URL: run it by `npm run test:pg`");
  database = await emptyDatabase({ GROUNDWORK_TEST_POSTGRES_URL: server });
});
afterEach(async () => {
  await rows("drop schema public cascade");
  await rows("create schema public");
});
afterAll(async () => {
  await database.drop();
  removeFolders();
});

function folderWith(files: Record<string, string>): string {
  const dir = temporaryFolder();
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(dir, name), sql);
  return dir;
}

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url, application_name: "somebody" });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

const migrating = "application_name = 'groundwork-migrate' and datname = current_database()";

test("six replicas that start together apply each file once", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 5 }, (_, i) => [
      `${i + 1}_step.up.sql`,
      i === 0 ? "create table steps (n int)" : `insert into steps values (${i})`,
    ]),
  );
  const dir = folderWith(files);
  const results = await Promise.all(Array.from({ length: 6 }, () => migrate(database.url, dir, quiet)));
  expect(results.flatMap(({ applied }) => applied).sort()).toEqual(Object.keys(files).sort());
  expect(await rows("select count(*)::int as n from steps")).toEqual([{ n: 4 }]);
});

test("of two versions that race with different files of one number, one is told that its file did not run", async () => {
  const one = folderWith({ "1_one.up.sql": "select pg_sleep(0.2); create table one (n int)" });
  const other = folderWith({ "1_other.up.sql": "select pg_sleep(0.2); create table other (n int)" });
  const results = await Promise.allSettled([migrate(database.url, one, quiet), migrate(database.url, other, quiet)]);
  const reasons = results.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : []));
  expect(reasons).toEqual([expect.stringMatching(/1_(one|other)\.up\.sql .* was edited after it was applied/)]);
});

test("a migration gives way to who holds its table, and goes through when it is free", async () => {
  const dir = folderWith({ "1_t.up.sql": "create table t (n int)" });
  await migrate(database.url, dir, quiet);
  writeFileSync(join(dir, "2_column.up.sql"), "alter table t add column m int");
  const holder = await connected();
  await holder.query("begin; select * from t");
  const lines: string[] = [];
  const running = migrate(database.url, dir, {
    log: (line) => {
      lines.push(line);
      if (lines.length === 2) void holder.query("commit");
    },
    lockTimeoutMs: 50,
    lockPausesMs: Array.from({ length: 40 }, () => 50),
  });
  expect((await running).applied).toEqual(["2_column.up.sql"]);
  expect(lines[0]).toMatch(
    /2_column\.up\.sql waits for a lock, tried again in 50 ms; transactions open: pid \d+ \(somebody/,
  );
  await holder.end();
});

test("a lock that is never free fails the migration, untouched, and names who holds it", async () => {
  const dir = folderWith({ "1_t.up.sql": "create table t (n int)" });
  await migrate(database.url, dir, quiet);
  writeFileSync(join(dir, "2_column.up.sql"), "create table u (n int); alter table t add column m int");
  const holder = await connected();
  await holder.query("begin; select * from t");
  const refused = migrate(database.url, dir, { ...quiet, lockTimeoutMs: 20, lockPausesMs: [10] });
  await expect(refused).rejects.toThrow(InfraError);
  await expect(refused).rejects.toThrow(
    /2_column\.up\.sql: a lock was not to be had within 20 ms, 2 times; .*somebody/,
  );
  await holder.end();
  expect(await rows("select to_regclass('u') is null as untouched")).toEqual([{ untouched: true }]);
});

test("a runner whose connection is cut in the middle leaves nothing, and the next one, which waited, applies it", async () => {
  const dir = folderWith({ "1_long.up.sql": "create table long (n int); select pg_sleep(30)" });
  const cut = migrate(database.url, dir, quiet);
  const ended = expect(cut).rejects.toThrow();
  const sleeping = async (): Promise<boolean> =>
    (await rows(`select 1 from pg_stat_activity where ${migrating} and wait_event = 'PgSleep'`)).length === 1;
  await until(sleeping);
  const lines: string[] = [];
  const quick = folderWith({ "1_long.up.sql": "create table long (n int)" });
  const next = migrate(database.url, quick, { log: (line) => lines.push(line) });
  await until(() => lines.length > 0);
  expect(lines[0]).toBe("waiting for another process that migrates this database");
  await rows(`select pg_terminate_backend(pid) from pg_stat_activity where ${migrating} and wait_event = 'PgSleep'`);
  await ended;
  expect(await next).toEqual({ applied: ["1_long.up.sql"] });
});
