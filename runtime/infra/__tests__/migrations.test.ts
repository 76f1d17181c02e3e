// Migrations are applied once, in order, wholly or not at all, whoever else does the same at that moment. Runs
// on the embedded database, and on a native one when GROUNDWORK_TEST_POSTGRES_URL names it.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type ClonedDatabase, InfraError, migrate, migrationStatus, repairMigrations } from "..";
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
  expect((await migrationStatus(database.url, dir)).map((row) => row.state)).toEqual([
    "applied",
    "applied",
    "applied",
    "pending",
  ]);
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

test("a byte order mark, which some editors write, is no part of a migration", async () => {
  const dir = folderWith({ "1_marked.up.sql": "\uFEFFcreate table marked (n int)", "2_plain.up.sql": "select 1" });
  expect((await migrate(database.url, dir, quiet)).applied).toHaveLength(2);
  writeFileSync(join(dir, "1_marked.up.sql"), "create table marked (n int)");
  writeFileSync(join(dir, "2_plain.up.sql"), "\uFEFFselect 1");
  expect(await migrate(database.url, dir, quiet)).toEqual({ applied: [] });
});

test("a migration that ends its own transaction and then fails says that a part of it stays", async () => {
  const dir = folderWith({
    "1_half.up.sql": "create table kept (n int); commit; create table gone (n int); select 1 / 0",
  });
  const failed = migrate(database.url, dir, quiet);
  await expect(failed).rejects.toThrow(/division by zero \(22012\)\n {2}The file ends its own transaction/);
  await expect(failed).rejects.not.toThrow(/Nothing of this migration/);
  expect(await rows("select to_regclass('kept') is not null as kept, to_regclass('gone') is null as no_gone")).toEqual([
    { kept: true, no_gone: true },
  ]);
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

test("a file added below what is applied is refused by name, before anything else is applied", async () => {
  const files = { "1_a.up.sql": "create table a (n int)", "31_b.up.sql": "create table b (n int)" };
  await migrate(database.url, folderWith(files), quiet);
  const late = folderWith({ ...files, "22_probe.up.sql": "this is no SQL", "32_c.up.sql": "create table c (n int)" });
  const refused = migrate(database.url, late, quiet);
  await expect(refused).rejects.toThrow(InfraError);
  await expect(refused).rejects.toThrow(/22_probe\.up\.sql .* was never applied: the database is at migration 31/);
  await expect(refused).rejects.toThrow(/Give it the next free number, above 31/);
  expect(await rows("select to_regclass('c') is null as untouched")).toEqual([{ untouched: true }]);
  expect((await migrationStatus(database.url, late)).map((row) => row.state)).toEqual([
    "applied",
    "late",
    "applied",
    "pending",
  ]);
});

test("an applied file that was edited or removed is refused by name, and taken as it is by `repair`", async () => {
  const files = { "1_a.up.sql": "create table a (n int);\n", "2_b.up.sql": "select 2", "3_c.up.sql": "select 3" };
  await migrate(database.url, folderWith(files), quiet);
  const otherLineEnds = folderWith({ ...files, "1_a.up.sql": "create table a (n int);\r\n" });
  expect(await migrate(database.url, otherLineEnds, quiet)).toEqual({ applied: [] });

  const changed = folderWith({ "1_a.up.sql": "create table a (n int, m int)", "3_c.up.sql": "select 3" });
  const refused = migrate(database.url, changed, { ...quiet, disposable: "/state/postgres" });
  await expect(refused).rejects.toThrow(/1_a\.up\.sql in .* was edited after it was applied/);
  await expect(refused).rejects.toThrow(/2_b\.up\.sql in .* was removed after it was applied/);
  await expect(refused).rejects.toThrow(/Restore the file[\s\S]*delete \/state\/postgres to start afresh/);
  await expect(repairMigrations([{ url: database.url, dir: changed }], ["3_c.up.sql"], quiet)).rejects.toThrow(
    /3_c\.up\.sql was neither edited nor removed/,
  );
  await repairMigrations([{ url: database.url, dir: changed }], ["1_a.up.sql", "2_b.up.sql"], quiet);
  expect(await migrate(database.url, changed, quiet)).toEqual({ applied: [] });
});

test("`repair` finds a file in whichever database has it, and repairs nothing when no one has one of them", async () => {
  const other = await emptyDatabase({ GROUNDWORK_TEST_POSTGRES_URL: process.env.GROUNDWORK_TEST_POSTGRES_URL });
  try {
    const made = { "1_a.up.sql": "select 1", "3_c.up.sql": "select 3" };
    await migrate(database.url, folderWith(made), quiet);
    await migrate(other.url, folderWith({ ...made, "2_b.up.sql": "select 2" }), quiet);
    const edited = { ...made, "1_a.up.sql": "select 10" };
    const folders = [database, other].map(({ url }) => ({ url, dir: folderWith(edited) }));
    const states = async (): Promise<string[][]> =>
      Promise.all(folders.map(async ({ url, dir }) => (await migrationStatus(url, dir)).map(({ state }) => state)));
    const before = await states();
    await expect(repairMigrations(folders, ["1_a.up.sql", "3_c.up.sql"], quiet)).rejects.toThrow(
      /3_c\.up\.sql was neither edited nor removed/,
    );
    expect(await states()).toEqual(before);
    await repairMigrations(folders, ["2_b.up.sql", "1_a.up.sql"], quiet);
    for (const { url, dir } of folders) expect(await migrate(url, dir, quiet)).toEqual({ applied: [] });
  } finally {
    await other.drop();
  }
});

test("an old version starts beside a database that a newer one has migrated, but not in development", async () => {
  const older = { "1_a.up.sql": "create table a (n int)", "4_b.up.sql": "create table b (n int)" };
  await migrate(database.url, folderWith({ ...older, "5_c.up.sql": "create table c (n int)" }), quiet);
  const lines: string[] = [];
  expect(await migrate(database.url, folderWith(older), { log: (line) => lines.push(line) })).toEqual({ applied: [] });
  expect(lines).toEqual([
    expect.stringMatching(/is at migration 5 \(5_c\.up\.sql\), but .* ends at 4: a newer version/),
  ]);
  const refused = migrate(database.url, folderWith(older), { ...quiet, disposable: "/state/postgres" });
  await expect(refused).rejects.toThrow(/ends at 4[\s\S]*Start that version[\s\S]*delete \/state\/postgres/);
  // A sibling of that version, not an older one: its 3_x would be lost.
  await expect(migrate(database.url, folderWith({ ...older, "3_x.up.sql": "select 1" }), quiet)).rejects.toThrow(
    /3_x\.up\.sql .* was never applied/,
  );
});

test("files that the official runtime applied get their checksum on first sight, also later ones", async () => {
  await rows("create table schema_migrations (version bigint not null primary key, dirty boolean not null)");
  await rows("insert into schema_migrations values (2, false)");
  const files = { "1_a.up.sql": "select 1", "2_b.up.sql": "select 2", "3_c.up.sql": "select 3" };
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  expect(await migrate(database.url, folderWith(files), { log })).toEqual({ applied: ["3_c.up.sql"] });
  expect(lines[0]).toMatch(/^2 applied without a checksum \(1_a\.up\.sql … 2_b\.up\.sql\): the files as they are now/);
  const edited = folderWith({ ...files, "2_b.up.sql": "select 22" });
  await expect(migrate(database.url, edited, quiet)).rejects.toThrow(/2_b\.up\.sql .* was edited/);

  await rows("update schema_migrations set version = 4");
  const further = folderWith({ ...files, "4_d.up.sql": "select 4" });
  expect(await migrate(database.url, further, { log })).toEqual({ applied: [] });
  expect(lines.at(-1)).toMatch(/^1 applied without a checksum \(4_d/);
});

test("a dirty row left by another tool counts as not applied", async () => {
  await rows("create table schema_migrations (version bigint not null primary key, dirty boolean not null)");
  await rows("insert into schema_migrations values (2, true)");
  const dir = folderWith({ "1_a.up.sql": "create table a (n int)", "2_b.up.sql": "create table b (n int)" });
  expect(await migrate(database.url, dir, quiet)).toEqual({ applied: ["2_b.up.sql"] });
  expect(await rows("select version::int, dirty from schema_migrations")).toEqual([{ version: 2, dirty: false }]);
});

test("drizzle's first file, whose number is 0, is applied, and like every other neither edited nor added late", async () => {
  const first = { "0000_first.sql": "create table first (n int)" };
  const both = { ...first, "0001_second.sql": "create table second (n int)" };
  expect(await migrate(database.url, folderWith(first), quiet)).toEqual({ applied: ["0000_first.sql"] });
  expect(await migrate(database.url, folderWith(both), quiet)).toEqual({ applied: ["0001_second.sql"] });
  expect((await migrationStatus(database.url, folderWith(both))).map((row) => row.state)).toEqual([
    "applied",
    "applied",
  ]);
  const edited = folderWith({ ...both, "0000_first.sql": "create table first (n bigint)" });
  await expect(migrate(database.url, edited, quiet)).rejects.toThrow("0000_first.sql");
  const without = { "0001_second.sql": both["0001_second.sql"] };
  await expect(migrate(database.url, folderWith(without), quiet)).rejects.toThrow("0000_first.sql");
});

test("a first file of number 0 that comes after others is refused as too late", async () => {
  const one = { "1_a.up.sql": "create table a (n int)" };
  await migrate(database.url, folderWith(one), quiet);
  const late = folderWith({ ...one, "0_before.up.sql": "this is no SQL" });
  await expect(migrate(database.url, late, quiet)).rejects.toThrow(/0_before\.up\.sql .* was never applied/);
});

test("a number that the table of migrations cannot hold is refused by name", () => {
  const dir = folderWith({ "20240101120000123456_a.up.sql": "select 1" });
  expect(() => readMigrations(dir)).toThrow(/20240101120000123456_a\.up\.sql/);
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

test("files of one layout beside folders of another are refused: one of them would never be applied", () => {
  const mixed = { "1_a.up.sql": "", "31_z.up.sql": "", "99_archive/migration.sql": "" };
  expect(() => readMigrations(folderWith(mixed))).toThrow(InfraError);
  expect(() => readMigrations(folderWith(mixed))).toThrow(
    /two layouts: 1_a\.up\.sql and 99_archive\/migration\.sql[^]*keep one layout/,
  );
  const beside = { "seed.sql": "", "20240101_a/migration.sql": "" };
  expect(readMigrations(folderWith(beside)).migrations.map((m) => m.number)).toEqual([20240101n]);
});

test("migrations that are links are applied as what they lead to, and one that leads nowhere is refused", async () => {
  const there = folderWith({ "1_a.up.sql": "create table a (n int)", "20240101_b/migration.sql": "select 1" });
  const files = folderWith({ "2_b.up.sql": "create table b (n int)" });
  symlinkSync(join(there, "1_a.up.sql"), join(files, "1_a.up.sql"));
  // As a ConfigMap of Kubernetes is laid out.
  symlinkSync(there, join(files, "..data"));
  expect(await migrate(database.url, files, quiet)).toEqual({ applied: ["1_a.up.sql", "2_b.up.sql"] });
  const folders = temporaryFolder();
  symlinkSync(join(there, "20240101_b"), join(folders, "20240101_b"));
  expect(readMigrations(folders).migrations.map((m) => m.file)).toEqual([join("20240101_b", "migration.sql")]);
  symlinkSync(join(there, "gone.sql"), join(files, "3_c.up.sql"));
  expect(() => readMigrations(files)).toThrow(/3_c\.up\.sql is a link that leads nowhere/);
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
