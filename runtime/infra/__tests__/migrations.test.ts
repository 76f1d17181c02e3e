// Migrations are applied once, in order, wholly or not at all, whoever else does the same at that moment. Runs
// on the embedded database, and on a native one when GROUNDWORK_TEST_POSTGRES_URL names it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type ClonedDatabase, InfraError, migrate, migrationStatus } from "..";
import { runOnServer } from "../database-url";
import { readMigrations } from "../migration-files";
import { emptyDatabase, removeFolders, temporaryFolder } from "./support";

let database: ClonedDatabase;

beforeAll(async () => {
  database = await emptyDatabase({ GROUNDWORK_TEST_POSTGRES_URL: process.env.GROUNDWORK_TEST_POSTGRES_URL });
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
  for (const [name, sql] of Object.entries(files)) {
    mkdirSync(join(dir, name, ".."), { recursive: true });
    writeFileSync(join(dir, name), sql);
  }
  return dir;
}

const quiet = { log: () => undefined };
const rows = (sql: string) => runOnServer(database.url, sql);

test("files are applied by number, several statements each, and only what is new the next time", async () => {
  const dir = folderWith({
    "10_third.up.sql": "insert into t select max(n) + 1 from t;",
    "1_first.up.sql": "create table t (n int); insert into t values (1);",
    "2_second.up.sql": "insert into t select max(n) + 1 from t",
    "2_second.down.sql": "nonsense",
  });
  const lines: string[] = [];
  expect(await migrate(database.url, dir, { log: (line) => lines.push(line) })).toEqual({
    applied: ["1_first.up.sql", "2_second.up.sql", "10_third.up.sql"],
  });
  expect(lines).toHaveLength(3);
  expect(await rows("select max(n) as n from t")).toEqual([{ n: 3 }]);
  expect(await rows("select version::int, dirty from schema_migrations")).toEqual([{ version: 10, dirty: false }]);
  expect(await migrate(database.url, dir, quiet)).toEqual({ applied: [] });
  writeFileSync(join(dir, "11_fourth.up.sql"), "create table u (n int)");
  expect((await migrationStatus(database.url, dir)).map((row) => row.applied)).toEqual([true, true, true, false]);
  expect(await migrate(database.url, dir, quiet)).toEqual({ applied: ["11_fourth.up.sql"] });
});

test("a migration that fails leaves nothing of itself, says where, and is tried again", async () => {
  const dir = folderWith({
    "1_good.up.sql": "create table good (n int)",
    "2_bad.up.sql": "create table half (n int);\n\nselect nothing_such();",
  });
  const failed = migrate(database.url, dir, quiet);
  await expect(failed).rejects.toThrow(InfraError);
  await expect(failed).rejects.toThrow(/2_bad\.up\.sql:3: function nothing_such\(\) does not exist \(42883\)/);
  expect(await rows("select to_regclass('good') is not null as good, to_regclass('half') is null as no_half")).toEqual([
    { good: true, no_half: true },
  ]);
  expect(await rows("select version::int from schema_migrations")).toEqual([{ version: 1 }]);
  writeFileSync(join(dir, "2_bad.up.sql"), "create table half (n int)");
  expect(await migrate(database.url, dir, quiet)).toEqual({ applied: ["2_bad.up.sql"] });
});

test("two runners at the same time apply everything exactly once", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 8 }, (_, i) => [
      `${i + 1}_step.up.sql`,
      i === 0 ? "create table steps (n int); insert into steps values (1)" : `insert into steps values (${i + 1})`,
    ]),
  );
  const dir = folderWith(files);
  const applied = await Promise.all([migrate(database.url, dir, quiet), migrate(database.url, dir, quiet)]);
  expect(applied.flatMap((result) => result.applied).sort()).toEqual(Object.keys(files).sort());
  expect(await rows("select count(*)::int as n from steps")).toEqual([{ n: 8 }]);
});

test("a database that a newer version has migrated is refused, untouched", async () => {
  await migrate(
    database.url,
    folderWith({ "1_a.up.sql": "create table a (n int)", "5_b.up.sql": "create table b (n int)" }),
    quiet,
  );
  const older = folderWith({ "1_a.up.sql": "create table a (n int)", "4_c.up.sql": "create table c (n int)" });
  const refused = migrate(database.url, older, quiet);
  await expect(refused).rejects.toThrow(/the database is at migration 5, but .* ends at 4/);
  expect(await rows("select to_regclass('c') is null as untouched")).toEqual([{ untouched: true }]);
});

test("a dirty row left by another tool counts as not applied", async () => {
  await rows("create table schema_migrations (version bigint not null primary key, dirty boolean not null)");
  await rows("insert into schema_migrations values (2, true)");
  const dir = folderWith({ "1_a.up.sql": "create table a (n int)", "2_b.up.sql": "create table b (n int)" });
  expect(await migrate(database.url, dir, quiet)).toEqual({ applied: ["2_b.up.sql"] });
  expect(await rows("select version::int, dirty from schema_migrations")).toEqual([{ version: 2, dirty: false }]);
});

test("prisma's folders are applied whatever their order of arrival, one row each", async () => {
  const dir = folderWith({ "20240102_b/migration.sql": "create table b (n int)", "migration_lock.toml": "" });
  await migrate(database.url, dir, quiet);
  mkdirSync(join(dir, "20240101_a"));
  writeFileSync(join(dir, "20240101_a/migration.sql"), "create table a (n int)");
  expect(await migrate(database.url, dir, quiet)).toEqual({ applied: [join("20240101_a", "migration.sql")] });
  expect(await rows("select version::int from schema_migrations order by 1")).toEqual([
    { version: 20240101 },
    { version: 20240102 },
  ]);
});

test("names that no layout knows and numbers given twice are refused", () => {
  expect(() => readMigrations(folderWith({ "1_a.up.sql": "", "nonsense.sql": "" }))).toThrow(
    /invalid migration filename: nonsense\.sql/,
  );
  expect(() => readMigrations(folderWith({ "1_a.up.sql": "", "01_b.up.sql": "" }))).toThrow(
    /duplicate migration identifier: 1/,
  );
  expect(
    readMigrations(folderWith({ "0001_drizzle.sql": "", "meta/_journal.json": "" })).migrations.map((m) => m.file),
  ).toEqual(["0001_drizzle.sql"]);
});
