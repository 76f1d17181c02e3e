// The embedded database looks like a server with many sessions, though PGlite has one.
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ClonedDatabase } from "..";
import { startEmbedded } from "../embedded-process";
import { emptyDatabase, removeFolders, stateWithDatabase, temporaryFolder, until } from "./support";

let database: ClonedDatabase;
let open: pg.Client[] = [];

beforeAll(async () => {
  database = await emptyDatabase();
});
afterEach(async () => {
  await Promise.all(open.map((client) => client.end()));
  open = [];
});
afterAll(async () => {
  await database.drop();
  removeFolders();
});

async function connect(url = database.url): Promise<pg.Client> {
  const client = new pg.Client(url);
  client.on("error", () => undefined);
  await client.connect();
  open.push(client);
  return client;
}

const value = async (client: pg.Client, sql: string): Promise<unknown> =>
  Object.values((await client.query<Record<string, unknown>>(sql)).rows[0] ?? {})[0];

test("the same statement name on two connections means two statements", async () => {
  const [a, b] = [await connect(), await connect()];
  for (let round = 0; round < 2; round++) {
    expect((await a.query({ name: "same", text: "select 'a' || $1::text as v", values: ["1"] })).rows).toEqual([
      { v: "a1" },
    ]);
    expect((await b.query({ name: "same", text: "select 'b' || $1::text as v", values: ["2"] })).rows).toEqual([
      { v: "b2" },
    ]);
  }
});

test("statements of many connections at once never get each other's parameters or rows", async () => {
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect()));
  const work = clients.map(async (client, index) => {
    for (let n = 0; n < 50; n++) {
      const wanted = `${index}-${n}`;
      const { rows } = await client.query<{ v: string }>(`select $1::text as v, ${index} as i`, [wanted]);
      if (rows[0]?.v !== wanted) return false;
    }
    return true;
  });
  expect((await Promise.all(work)).every(Boolean)).toBe(true);
});

test("settings, roles and two-part settings belong to the connection that made them", async () => {
  const [a, b] = [await connect(), await connect()];
  await a.query("create role reader");
  await a.query("set search_path = pg_catalog; set app.tenant = 'a'; set role reader");
  expect([
    await value(b, "show search_path"),
    await value(b, "select current_setting('app.tenant', true)"),
    await value(b, "select current_user"),
  ]).toEqual(['"$user", public', "", "postgres"]);
  expect([
    await value(a, "show search_path"),
    await value(a, "select current_setting('app.tenant', true)"),
    await value(a, "select current_user"),
  ]).toEqual(["pg_catalog", "a", "reader"]);
  await a.query("discard all");
  expect([await value(a, "show search_path"), await value(a, "select current_user")]).toEqual([
    '"$user", public',
    "postgres",
  ]);
});

// As the app's pool ends each use of a connection (db/session-reset.ts).
const RESET =
  "RESET ALL; CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; DISCARD TEMP; DISCARD SEQUENCES; SELECT pg_advisory_unlock_all()";

test("what an app does to its session past the text of its statements is gone with its turn, and with the end of its use", async () => {
  const asApp = database.url.replace("//postgres", "//app");
  const [a, b] = [await connect(asApp), await connect(asApp)];
  const hidden = `do $$ begin
    execute 'se' || 't search_path to pg_temp';
    execute 'prepare left_over as select 1';
  end $$`;
  const left = async (): Promise<unknown[]> => [
    await value(b, "show search_path"),
    await value(b, "select count(*)::int from pg_prepared_statements where from_sql"),
  ];
  for (const use of ["first", "second"]) {
    await a.query(hidden);
    expect(await value(b, "show search_path"), use).toBe('"$user", public');
    expect(await a.query(RESET)).toHaveLength(4);
    expect(await left(), use).toEqual(['"$user", public', 0]);
  }
});

test("settings in the connection string's options are that connection's own", async () => {
  const withOptions = await connect(`${database.url}&options=${encodeURIComponent("-c search_path=pg_catalog")}`);
  expect(await value(withOptions, "show search_path")).toBe("pg_catalog");
  expect(await value(await connect(), "show search_path")).toBe('"$user", public');
});

test("a notification reaches every listener once its transaction is committed, and nobody else", async () => {
  const [sender, listener, deaf] = [await connect(), await connect(), await connect()];
  const heard: string[] = [];
  listener.on("notification", (message) => heard.push(`${message.channel}:${message.payload ?? ""}`));
  deaf.on("notification", () => heard.push("deaf"));
  await listener.query("listen jobs");
  await deaf.query("listen jobs");
  await deaf.query("unlisten jobs");
  await sender.query("begin");
  await sender.query("select pg_notify('jobs', 'rolled back')");
  await sender.query("rollback");
  await sender.query("select pg_notify('jobs', $1)", ["committed"]);
  await until(() => heard.length > 0);
  expect(heard).toEqual(["jobs:committed"]);
});

test("a transaction keeps the others waiting and shows them nothing before its commit", async () => {
  const [a, b] = [await connect(), await connect()];
  await a.query("create table turn (id int)");
  await a.query("begin");
  await a.query("insert into turn values (1)");
  const counted = value(b, "select count(*)::int from turn");
  await a.query("insert into turn values (2)");
  await a.query("commit");
  expect(await counted).toBe(2);
});

test("a client that dies in its transaction is rolled back and lets the others go on", async () => {
  const [a, b] = [await connect(), await connect()];
  await a.query("create table dies (id int)");
  await a.query("begin");
  await a.query("insert into dies values (1)");
  const counted = value(b, "select count(*)::int from dies");
  (a as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  expect(await counted).toBe(0);
});

test("an error in a batch leaves the connection and its neighbours usable", async () => {
  const [a, b] = [await connect(), await connect()];
  await expect(a.query("select 1/$1::int", [0])).rejects.toMatchObject({ code: "22012" });
  expect(await value(b, "select 1")).toBe(1);
  expect((await a.query("select $1::int as v", [5])).rows).toEqual([{ v: 5 }]);
});

test("what one session cannot do is refused with a reason instead of ending the database", async () => {
  const client = await connect();
  await client.query("create table copied (id int)");
  await expect(client.query("copy copied from stdin")).rejects.toMatchObject({ code: "0A000" });
  await expect(new pg.Client(database.url.replace("/app?", "/nope?")).connect()).rejects.toMatchObject({
    code: "3D000",
  });
  expect(await value(client, "select 1")).toBe(1);
});

test("a transaction that waits for another connection is ended, so that the others go on", async () => {
  const postgres = await startEmbedded({
    dataDir: join(await stateWithDatabase(), "postgres"),
    databases: ["app"],
    idleOwnerMs: 300,
  });
  const [owner, other] = [await connect(postgres.url("app")), await connect(postgres.url("app"))];
  await owner.query("begin");
  expect(await value(other, "select 1")).toBe(1);
  await expect(owner.query("select 1")).rejects.toThrow();
  await Promise.all(open.map((client) => client.end()));
  open = [];
  await postgres.stop();
});

test("over TCP the password is asked for, and a wrong one is refused", async () => {
  const postgres = await startEmbedded({ dataDir: temporaryFolder(), databases: [], tcp: true });
  const url = new URL(postgres.url("app"));
  expect(url.hostname).toBe("127.0.0.1");
  url.password = "wrong";
  await expect(new pg.Client(url.toString()).connect()).rejects.toMatchObject({ code: "28P01" });
  await expect(new pg.Client(postgres.url("app")).connect()).rejects.toMatchObject({ code: "3D000" });
  await postgres.stop();
});
