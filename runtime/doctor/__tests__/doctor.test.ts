// The doctor names each fault that is planted, and none in an installation without one.
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  folderWith,
  newerMigration,
  shopMigrations,
  type TestDatabase,
  testDatabase,
} from "../../backup/__tests__/installation";
import { runOnServer } from "../../infra/database-url";
import { removeFolders } from "../../infra/__tests__/support";
import { examine, findingCodes, type FindingCode, type Patient } from "..";
import { codesOf, healthy } from "./patient";

afterAll(removeFolders);

it("finds nothing in an installation without a fault", async () => {
  expect(await examine(healthy())).toEqual([]);
});

async function listening(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

type Plant = (patient: Patient) => Patient | Promise<Patient>;

const file =
  (name: string, mode: number): Plant =>
  (patient) => {
    const path = join(patient.stateDir, name);
    writeFileSync(path, "{}");
    chmodSync(path, mode);
    return patient;
  };

const withCors =
  (...origins: string[]): Plant =>
  (patient) => ({
    ...patient,
    model: { ...patient.model, app: { id: "", globalCors: { allowOriginsWithCredentials: origins } } },
  });

const withoutDatabase: [FindingCode, string, Plant][] = [
  ["node_too_old", "a Node that cannot run the app", (patient) => ({ ...patient, nodeVersion: "20.18.3" })],
  ["node_unsupported", "a Node without security fixes", (patient) => ({ ...patient, nodeVersion: "23.1.0" })],
  [
    "state_not_writable",
    "a state folder that is a file",
    (patient) => {
      writeFileSync(join(patient.root, "file"), "");
      return { ...patient, stateDir: join(patient.root, "file", "state") };
    },
  ],
  [
    "port_taken",
    "a port that somebody else has",
    async (patient) => ({ ...patient, listen: { host: "127.0.0.1", port: await listening("127.0.0.1") } }),
  ],
  [
    "secret_missing",
    "a declared secret that is not set",
    (patient) => ({ ...patient, env: { ...patient.env, MasterKey: undefined } }),
  ],
  [
    "secret_short",
    "a master key that can be guessed",
    (patient) => ({ ...patient, env: { ...patient.env, MasterKey: "changeme" } }),
  ],
  ["secret_file_readable", "secrets that every user may read", file("secrets.json", 0o644)],
  ["cors_any_origin_with_credentials", "cookies for every website", withCors("https://app.example.com", "*")],
  [
    "base_url_insecure",
    "an address without TLS in production",
    (patient) => ({ ...patient, env: { ...patient.env, GROUNDWORK_BASE_URL: "http://localhost" } }),
  ],
  [
    "metrics_public",
    "metrics that anybody reads",
    async (patient) => {
      const server = createHttpServer((_, response) => response.end("up 1")).listen(0, "0.0.0.0");
      await new Promise((resolve) => server.once("listening", resolve));
      onTestFinished(() => void server.close());
      return {
        ...patient,
        env: { ...patient.env, GROUNDWORK_BASE_URL: `http://0.0.0.0:${(server.address() as AddressInfo).port}` },
      };
    },
  ],
  [
    "database_unreachable",
    "a database that is away",
    (patient) => {
      const url = "postgresql://u@127.0.0.1:1/none";
      return { ...patient, databases: [{ name: "app", url, appUrl: url, isEmbedded: false }] };
    },
  ],
  [
    "redis_unreachable",
    "a Redis that is away",
    (patient) => ({ ...patient, redisUrl: "redis://127.0.0.1:1", model: { ...patient.model, topics: [] } }),
  ],
];

it.each(withoutDatabase)("says %s of %s", async (code, _, plant) => {
  expect(await codesOf(await plant(healthy()))).toContain(code);
});

it.each<[string, Plant]>([
  ["secrets of their owner alone", file("secrets.json", 0o600)],
  ["origins that are named", withCors("https://app.example.com")],
  [
    "a port that this installation has itself",
    async (patient) => ({
      ...patient,
      isRunning: true,
      listen: { host: "127.0.0.1", port: await listening("127.0.0.1") },
    }),
  ],
  ["a secret that is not set in development", (patient) => ({ ...patient, isProduction: false, env: {} })],
])("says nothing of %s", async (_, plant) => {
  expect(await codesOf(await plant(healthy()))).toEqual([]);
});

describe("of a database", () => {
  const guarded = {
    "3_guard.up.sql": `
    create table shop.note (tenant_id uuid, text text);
    alter table shop.note enable row level security;
    alter table shop.note force row level security;
    create policy own on shop.note using (tenant_id = nullif(current_setting('shop.owner', true), '')::uuid);
    create index by_text on shop.note (text);`,
  };
  const dir = folderWith(shopMigrations, guarded);
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase(dir, true);
  });
  afterAll(() => database.drop());

  /** As the embedded one is asked: without what a server must be set to. */
  const patient = (more: Partial<TestDatabase> = {}): Patient => ({
    ...healthy(),
    isProduction: false,
    databases: [{ ...database, isEmbedded: true, ...more }],
  });

  it("finds nothing in one without a fault", async () => {
    expect(await examine(patient())).toEqual([]);
  });

  it.each<[FindingCode, string, string, string]>([
    [
      "row_security_off",
      "a table whose rows nobody guards",
      "alter table shop.note disable row level security",
      "alter table shop.note enable row level security",
    ],
    [
      "row_security_off",
      "a table whose owner is not bound",
      "alter table shop.note no force row level security",
      "alter table shop.note force row level security",
    ],
    [
      "row_security_policy_open",
      "a policy that was opened",
      "alter policy own on shop.note using (true)",
      "alter policy own on shop.note using (tenant_id = nullif(current_setting('shop.owner', true), '')::uuid)",
    ],
    [
      "index_invalid",
      "an index that was left half made",
      "update pg_index set indisvalid = false where indexrelid = 'shop.by_text'::regclass",
      "update pg_index set indisvalid = true where indexrelid = 'shop.by_text'::regclass",
    ],
    [
      "dead_letters",
      "messages that could not be handled",
      "create schema bullmq; create table bullmq.job as select 'orders/bill'::text as queue, 'failed'::text as state",
      "drop schema bullmq cascade",
    ],
  ])("says %s of %s", async (code, _, plant, undo) => {
    await runOnServer(database.url, plant);
    try {
      expect(await codesOf(patient())).toEqual([code]);
    } finally {
      await runOnServer(database.url, undo);
    }
  });

  it.each<[FindingCode, string, Record<string, string>[]]>([
    [
      "migration_pending",
      "a migration that was not applied",
      [shopMigrations, guarded, { "4_more.up.sql": newerMigration["3_add_discount.up.sql"] ?? "" }],
    ],
    ["migration_mismatch", "a migration that was edited", [shopMigrations, { "3_guard.up.sql": "select 1" }]],
    ["migration_newer", "a database of a newer version", [shopMigrations]],
  ])("says %s of %s", async (code, _, files) => {
    expect(await codesOf(patient({ migrationsDir: folderWith(...files) }))).toEqual([code]);
  });

  it("says vector_extension_missing where migrations ask for it and the server has it not", async () => {
    const migrationsDir = folderWith({ "1_vector.up.sql": "CREATE EXTENSION IF NOT EXISTS vector;" });
    expect(await codesOf(patient({ migrationsDir }))).toContain("vector_extension_missing");
  });

  it("says clock_skew of a machine whose clock is off", async () => {
    const late = (): Date => new Date(Date.now() - 3_000);
    expect(await codesOf({ ...patient(), now: late })).toEqual(["clock_skew"]);
  });

  it("leaves nothing behind", async () => {
    const empty = await testDatabase(folderWith({}), false);
    onTestFinished(() => empty.drop());
    await examine({ ...patient(), databases: [{ ...empty, isEmbedded: true }] });
    expect(
      await runOnServer(empty.url, "select nspname from pg_namespace where nspname in ('bullmq', 'groundwork')"),
    ).toEqual([]);
  });
});

it("every code stands in docs/doctor.md, and no other", () => {
  const page = readFileSync(join(__dirname, "..", "..", "..", "docs", "doctor.md"), "utf8");
  const documented = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
  expect(documented.sort()).toEqual([...findingCodes].sort());
});

it("goes on when a check cannot be made, and says so", async () => {
  const patient = healthy();
  const broken = { ...patient, model: { ...patient.model, topics: undefined as never } };
  expect(await codesOf(broken)).toEqual(["check_failed"]);
});
