// What the doctor says of servers: logins and settings, planted on a real Postgres and a real Redis.
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { folderWith, type TestDatabase, testDatabase } from "../../backup/__tests__/installation";
import { databaseOf, quoteIdentifier, runOnServer } from "../../infra/database-url";
import { removeFolders } from "../../infra/__tests__/support";
import { examine, type FindingCode, type Patient } from "..";
import { codesOf, healthy } from "./patient";

const redisUrl = process.env.GROUNDWORK_TEST_REDIS_URL ?? "";
const login = "doctor_app";
let database: TestDatabase;

beforeAll(async () => {
  const dir = folderWith({ "1_vector.up.sql": "CREATE EXTENSION IF NOT EXISTS vector;" });
  database = await testDatabase(dir, true);
  await runOnServer(database.url, `drop role if exists ${login}`);
  await runOnServer(database.url, `create role ${login} login password 'only here'`);
  await runOnServer(database.url, `alter role ${login} set idle_in_transaction_session_timeout = '60s'`);
});

afterAll(async () => {
  await runOnServer(database.url, `drop role ${login}`);
  await database.drop();
  removeFolders();
});

function patient(more: Partial<Patient> = {}): Patient {
  const appUrl = new URL(database.url);
  [appUrl.username, appUrl.password] = [login, "only here"];
  return {
    ...healthy(),
    model: { ...healthy().model, topics: [] },
    databases: [{ ...database, appUrl: appUrl.toString() }],
    ...more,
  };
}

/** The test servers do without the disk, and Debian's pgvector is an older one: faults of theirs, said of every run. */
const ofTheServer: FindingCode[] = ["database_not_durable", "vector_extension_old"];

it("knows the faults of the test's own server, and no others", async () => {
  const codes = await codesOf(patient());
  expect(codes).toContain("vector_extension_old");
  expect(codes.filter((code) => !ofTheServer.includes(code))).toEqual([]);
});

it.each<[FindingCode, string, (name: string) => string, (name: string) => string]>([
  [
    "login_bypasses_row_security",
    "an app's login with BYPASSRLS",
    () => `alter role ${login} bypassrls`,
    () => `alter role ${login} nobypassrls`,
  ],
  [
    "login_bypasses_row_security",
    "an app's login that is a superuser",
    () => `alter role ${login} superuser`,
    () => `alter role ${login} nosuperuser`,
  ],
  [
    "idle_transactions_unlimited",
    "a login without an end to idle transactions",
    () => `alter role ${login} reset idle_in_transaction_session_timeout`,
    () => `alter role ${login} set idle_in_transaction_session_timeout = '60s'`,
  ],
  [
    "statement_log_shows_values",
    "a log with the values of statements",
    (name) => `alter database ${name} set log_statement = 'all'`,
    (name) => `alter database ${name} reset log_statement`,
  ],
  [
    "database_not_durable",
    "commits that are not on the disk",
    (name) => `alter database ${name} set synchronous_commit = off`,
    (name) => `alter database ${name} reset synchronous_commit`,
  ],
  [
    "collation_changed",
    "texts that are sorted anew",
    (name) => `update pg_database set datcollversion = '0' where datname = '${name.replaceAll('"', "")}'`,
    (name) => `update pg_database set datcollversion = null where datname = '${name.replaceAll('"', "")}'`,
  ],
])("says %s of %s", async (code, _, plant, undo) => {
  const name = quoteIdentifier(databaseOf(database.url));
  await runOnServer(database.url, plant(name));
  try {
    expect(await codesOf(patient())).toContain(code);
  } finally {
    await runOnServer(database.url, undo(name));
  }
});

it("says redis_evicts and redis_not_durable of a Redis that is a cache", async () => {
  const redis = new Redis(redisUrl);
  const before = await redis.config("GET", "appendonly", "maxmemory-policy");
  const settings = before;
  const valueOf = (name: string): string => settings[settings.indexOf(name) + 1] ?? "";
  try {
    await redis.config("SET", "maxmemory-policy", "allkeys-lru");
    await redis.config("SET", "appendonly", "no");
    expect(await codesOf(patient({ databases: [], redisUrl }))).toEqual(
      expect.arrayContaining(["redis_evicts", "redis_not_durable"]) as FindingCode[],
    );
    await redis.config("SET", "maxmemory-policy", "noeviction");
    const findings = await examine(patient({ databases: [], redisUrl }));
    expect(findings.map(({ code }) => code)).not.toContain("redis_evicts");
  } finally {
    await redis.config("SET", "maxmemory-policy", valueOf("maxmemory-policy"));
    await redis.config("SET", "appendonly", valueOf("appendonly"));
    await redis.quit();
  }
});
