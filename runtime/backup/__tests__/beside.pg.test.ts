// A restore has its databases for itself: what others write would mix with what comes back.
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { runOnServer } from "../../infra/database-url";
import { removeFolders } from "../../infra/__tests__/support";
import { checkArchive } from "../archive-check";
import { DatabaseSession, readOnlySnapshot } from "../database-session";
import {
  backUp,
  emptyStores,
  folderWith,
  restore,
  shopMigrations,
  type TestDatabase,
  testDatabase,
} from "./installation";

const shop = folderWith(shopMigrations);
let source: TestDatabase;
let file: string;

beforeAll(async () => {
  source = await testDatabase(shop, true);
  await runOnServer(source.url, "insert into public.plain values ('of the backup')");
  file = await backUp(source, emptyStores());
});

afterAll(async () => {
  await source.drop();
  removeFolders();
});

async function databaseWith(isMigrated: boolean): Promise<TestDatabase> {
  const database = await testDatabase(shop, isMigrated);
  onTestFinished(() => database.drop());
  return database;
}

async function connectTo({ url }: TestDatabase): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: "the app" });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

const plainOf = (target: TestDatabase): Promise<unknown[]> => runOnServer(target.url, "select one from public.plain");

describe("a restore beside other sessions", () => {
  it("is refused before anything is cleared, and says how many and whose", async () => {
    const target = await databaseWith(true);
    const app = await connectTo(target);
    await app.query("insert into public.plain values ('of the app')");
    await expect(restore(file, target, { overwrite: true })).rejects.toThrow(
      /1 other session uses the database app \(the app\)[\s\S]*Stop the app[\s\S]*Nothing was changed/,
    );
    await app.end();
    expect(await plainOf(target)).toEqual([{ one: "of the app" }]);
    await restore(file, target, { overwrite: true });
    expect(await plainOf(target)).toEqual([{ one: "of the backup" }]);
  });

  it("keeps nothing where one comes while it loads", async () => {
    const long = await databaseWith(true);
    await runOnServer(long.url, "insert into public.plain select n::text from generate_series(1, 30000) n");
    const longFile = await backUp(long, emptyStores());
    const target = await databaseWith(false);
    let app: Promise<pg.Client> | undefined;
    const progress = (): void => {
      app ??= connectTo(target);
    };
    await expect(restore(longFile, target, { progress })).rejects.toThrow(
      /1 other session uses[\s\S]*nothing was loaded/,
    );
    await (await app)?.end();
    expect(await plainOf(target)).toEqual([]);
  });
});

describe("a backup beside sessions that change things", () => {
  it("is of one moment, and no table changes its columns before it is over", async () => {
    const database = await databaseWith(true);
    await runOnServer(database.url, "insert into public.plain select repeat('x', 2000) from generate_series(1, 5000)");
    await runOnServer(database.url, "insert into shop.owner (id, name) values (gen_random_uuid(), 'before')");
    const app = await connectTo(database);
    onTestFinished(() => app.end());
    await app.query("set lock_timeout = '5ms'");
    const told: string[] = [];
    const tell = (sql: string): void => {
      void app.query(sql).then(
        () => told.push("done"),
        (error: pg.DatabaseError) => told.push(error.code ?? error.message),
      );
    };
    let pages = 0;
    let toldBeforeOwners = -1;
    const progress = (_: number, what: string): void => {
      if (what === "public.schema_migrations") toldBeforeOwners = told.length;
      if (what !== "public.plain" || ++pages > 1) return;
      tell("insert into shop.owner (id, name) values (gen_random_uuid(), 'meanwhile')");
      tell("alter table shop.owner add column other text");
    };
    const { checksums } = await checkArchive(await backUp(database, emptyStores(), { progress }));
    expect(told).toEqual(["done", "55P03"]);
    expect(toldBeforeOwners).toBe(2);
    expect(checksums.databases.app?.["shop.owner"]?.rows).toBe(1);
  });

  it("is not ended by the limit that a login has for transactions", async () => {
    const url = new URL(source.url);
    url.searchParams.set("options", "-c transaction_timeout=150ms");
    const session = await DatabaseSession.open(url.toString(), "app");
    onTestFinished(() => session.close());
    const slow = session.transaction(readOnlySnapshot, () => session.query("select 'slept' from pg_sleep(0.4)"));
    expect(await slow).toEqual([["slept"]]);
  });
});
