// A backup holds everything and a restore brings back exactly that, or changes nothing and says why.
import { randomBytes } from "node:crypto";
import { copyFileSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { runOnServer } from "../../infra/database-url";
import { removeFolders, temporaryFolder } from "../../infra/__tests__/support";
import { checkArchive } from "../archive-check";
import type { Stores } from "../bucket-objects";
import { makeBackup } from "..";
import {
  backUp,
  emptyStores,
  fill,
  folderWith,
  ignore,
  newerMigration,
  restore,
  shopMigrations,
  type TestDatabase,
  testDatabase,
} from "./installation";

const shop = folderWith(shopMigrations);
let source: TestDatabase;
let stores: Stores;
let file: string;

async function targetWith(dir: string, isMigrated = false): Promise<TestDatabase> {
  const target = await testDatabase(dir, isMigrated);
  onTestFinished(() => target.drop());
  return target;
}

const objectOptions = { notExists: false, contentType: "text/plain" };
/** Larger than what a stream hands on at once. */
const large = randomBytes(300_000);

beforeAll(async () => {
  source = await testDatabase(shop, true);
  for (const statement of fill.split(/;\n/)) await runOnServer(source.url, statement);
  stores = emptyStores();
  await stores.get("files")?.put("a/b ä?.txt", large, objectOptions);
  await stores.get("files")?.put("empty", Buffer.alloc(0), { notExists: false });
  file = await backUp(source, stores);
});

afterAll(async () => {
  await source.drop();
  removeFolders();
});

describe("what comes back", () => {
  it("is every row, object, sequence and view that was there, by the checksum of each", async () => {
    const target = await targetWith(shop);
    const into = emptyStores();
    const summary = await restore(file, target, { into });
    expect(summary).toMatchObject({ createdAt: "1970-01-01T00:00:00.000Z", objects: { files: 2 }, migrated: [] });
    const before = await checkArchive(file);
    const after = await checkArchive(await backUp(target, into));
    expect(after.checksums.databases).toEqual(before.checksums.databases);
    expect(after.checksums.objects).toEqual(before.checksums.objects);
    expect(Object.keys(before.checksums.databases.app ?? {})).toEqual(
      expect.arrayContaining(["public.plain", "public.schema_migrations", "shop.item", "shop.owner"]),
    );
    expect(before.checksums.databases.app?.["shop.item"]?.rows).toBe(402);
    expect(after.header.databases.app?.sequences).toEqual(before.header.databases.app?.sequences);
    expect(await into.get("files")?.read("a/b ä?.txt")).toEqual(large);
    expect(await into.get("files")?.attrs("a/b ä?.txt")).toMatchObject({ contentType: "text/plain" });
    expect(await runOnServer(target.url, "select items::int from shop.total")).toEqual([{ items: 402 }]);
  });

  it("goes on where it was: keys are enforced, generated ids go on, row security holds", async () => {
    const target = await targetWith(shop);
    await restore(file, target);
    const insert = "insert into shop.item (owner_id, note) values ($1, 'x') returning id::int, shown, changed";
    const [owner] = await runOnServer(target.url, "select id from shop.owner where favourite = 1");
    expect(await runOnServer(target.url, insert, [owner?.id])).toEqual([{ id: 403, shown: "X", changed: 1 }]);
    await expect(runOnServer(target.url, insert, ["0198c0de-0000-7000-8000-00000000dead"])).rejects.toThrow(
      "foreign key",
    );
    expect(
      await runOnServer(
        target.url,
        "select relrowsecurity and relforcerowsecurity as forced from pg_class where oid = 'shop.item'::regclass",
      ),
    ).toEqual([{ forced: true }]);
  });

  it("counts rows as written now, where a column names the transaction: numbers of another server mean nothing here", async () => {
    const target = await targetWith(shop);
    await restore(file, target);
    const ahead = "select count(*)::int as ahead from shop.item where xid >= pg_snapshot_xmax(pg_current_snapshot())";
    expect(await runOnServer(target.url, ahead)).toEqual([{ ahead: 0 }]);
    expect(await runOnServer(target.url, "select count(distinct xid)::int as writers from shop.item")).toEqual([
      { writers: 1 },
    ]);
  });

  it("is migrated after, where the app is newer than the backup", async () => {
    const target = await targetWith(folderWith(shopMigrations, newerMigration));
    expect((await restore(file, target)).migrated).toEqual(["3_add_discount.up.sql"]);
    expect(await runOnServer(target.url, "select sum(discount)::int as all from shop.item")).toEqual([
      { all: 402 * 7 },
    ]);
  });

  it("replaces what is there when told to, all of it", async () => {
    const target = await targetWith(shop, true);
    await runOnServer(target.url, "create schema extra");
    await runOnServer(target.url, "create function public.stale() returns int language sql as 'select 1'");
    await runOnServer(target.url, "insert into public.plain values ('lost')");
    const into = emptyStores();
    await into.get("files")?.put("lost", Buffer.from("x"), objectOptions);
    await restore(file, target, { overwrite: true, into });
    expect(await runOnServer(target.url, "select count(*)::int as n from public.plain where one = 'lost'")).toEqual([
      { n: 0 },
    ]);
    expect(await runOnServer(target.url, "select 1 from pg_namespace where nspname = 'extra'")).toEqual([]);
    expect(await runOnServer(target.url, "select 1 from pg_proc where proname = 'stale'")).toEqual([]);
    expect(await into.get("files")?.exists("lost")).toBe(false);
  });
});

describe("a restore that cannot go well changes nothing", () => {
  const damaged = (change: (path: string) => void): string => {
    const path = join(temporaryFolder(), "d.tar.gz");
    copyFileSync(file, path);
    change(path);
    return path;
  };
  const isUntouched = async ({ url }: TestDatabase): Promise<boolean> =>
    (await runOnServer(url, "select 1 from pg_namespace where nspname = 'shop'")).length === 0;

  it("refuses a file that was cut short, by a byte or in the middle", async () => {
    const target = await targetWith(shop);
    for (const size of [readFileSync(file).length - 1, 2_000, 0]) {
      await expect(
        restore(
          damaged((path) => truncateSync(path, size)),
          target,
        ),
      ).rejects.toThrow(/cut short|damaged/);
    }
    expect(await isUntouched(target)).toBe(true);
  });

  it("refuses one whose content was changed, though it is well packed", async () => {
    const target = await targetWith(shop);
    const path = damaged((copy) => {
      const tar = gunzipSync(readFileSync(copy)).toString("latin1");
      writeFileSync(copy, gzipSync(Buffer.from(tar.replace("ZZZZZZZZZZ", "YZZZZZZZZZ"), "latin1")));
    });
    await expect(restore(path, target)).rejects.toThrow("its checksum is not that of its content");
    expect(await isUntouched(target)).toBe(true);
  });

  it("refuses what is no backup, is not there, or is of a newer version", async () => {
    const target = await targetWith(shop);
    await expect(restore(join(temporaryFolder(), "none"), target)).rejects.toThrow("does not exist");
    await expect(
      restore(
        damaged((path) => writeFileSync(path, "hello")),
        target,
      ),
    ).rejects.toThrow(/damaged/);
    const newer = damaged((copy) => {
      const tar = gunzipSync(readFileSync(copy)).toString("latin1");
      writeFileSync(copy, gzipSync(Buffer.from(tar.replace(`"formatVersion": 1`, `"formatVersion": 2`), "latin1")));
    });
    await expect(restore(newer, target)).rejects.toThrow("format 2, which this version does not read");
  });

  it("refuses a database and a bucket that are not empty, and names them", async () => {
    const target = await targetWith(shop, true);
    await expect(restore(file, target)).rejects.toThrow(/the database app is not empty[\s\S]*--overwrite/);
    const into = emptyStores();
    await into.get("files")?.put("mine", Buffer.from("x"), objectOptions);
    await expect(restore(file, await targetWith(shop), { into })).rejects.toThrow("the bucket files is not empty");
    expect(await into.get("files")?.exists("mine")).toBe(true);
  });

  it("refuses a backup of a newer app, and one made by other migrations", async () => {
    const older = await targetWith(
      folderWith({ "1_create_shop.up.sql": shopMigrations["1_create_shop.up.sql"] ?? "" }),
    );
    await expect(restore(file, older)).rejects.toThrow(/does not know: 2_add_view.up.sql[\s\S]*Nothing was changed/);
    const edited = await targetWith(folderWith(shopMigrations, { "2_add_view.up.sql": "select 1" }));
    await expect(restore(file, edited)).rejects.toThrow(/2_add_view.up.sql was edited since/);
    expect(await isUntouched(older)).toBe(true);
  });

  it("refuses a table that no migration makes, with no row restored", async () => {
    const odd = await targetWith(shop, true);
    await runOnServer(odd.url, "create table public.by_hand (one int)");
    await expect(restore(await backUp(odd, emptyStores()), await targetWith(shop))).rejects.toThrow(
      /public.by_hand of the backup's database app is made by no migration/,
    );
  });
});

describe("a restore that went otherwise than it should", () => {
  it("keeps nothing: rows that a trigger changes on their way are not what was backed up", async () => {
    const meddling = "alter table shop.item enable always trigger counted;";
    const dir = folderWith(shopMigrations, { "3_meddle.up.sql": meddling });
    const odd = await targetWith(dir, true);
    for (const statement of fill.split(/;\n/)) await runOnServer(odd.url, statement);
    const target = await targetWith(dir);
    await expect(restore(await backUp(odd, emptyStores()), target)).rejects.toThrow(
      /shop.item of the database app would not be what was backed up \(402 of 402 rows, of other content\)/,
    );
    expect(await runOnServer(target.url, "select count(*)::int as n from shop.owner")).toEqual([{ n: 0 }]);
  });
});

describe("a backup that cannot go well leaves no file", () => {
  // The embedded server has no logins to choose from.
  it.runIf(process.env.GROUNDWORK_TEST_POSTGRES_URL)(
    "of a login from which row security would hide rows, and says which one to use",
    async () => {
      await runOnServer(source.url, "create role shop_reader login password 'x'").catch(ignore);
      await runOnServer(source.url, "grant pg_read_all_data to shop_reader");
      const asReader = {
        ...source,
        url: `${source.url}${source.url.includes("?") ? "&" : "?"}options=-c%20role%3Dshop_reader`,
      };
      const path = join(temporaryFolder(), "b.tar.gz");
      const input = { app: "shop", databases: [asReader], stores, file: path, now: new Date(0), progress: ignore };
      await expect(makeBackup(input)).rejects.toThrow(/row-level security[\s\S]*operator's login/);
      expect(readdirSync(dirname(path))).toEqual([]);
    },
  );

  it("of a database that is away", async () => {
    const path = join(temporaryFolder(), "b.tar.gz");
    const away = { ...source, url: "postgresql://u@127.0.0.1:1/none" };
    const input = { app: "shop", databases: [away], stores, file: path, now: new Date(0), progress: ignore };
    await expect(makeBackup(input)).rejects.toThrow(/cannot connect to the database app[\s\S]*DATABASE_URL/);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("and can be read by its owner alone", () => {
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
