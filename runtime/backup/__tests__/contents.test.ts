// A backup has all of what it says it has, or says why not; rows pass in pages that end by their bytes.
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { runOnServer } from "../../infra/database-url";
import { removeFolders, temporaryFolder } from "../../infra/__tests__/support";
import { objectFolder } from "../../objects/disk-record";
import { readEntries } from "../archive-reader";
import { DatabaseSession } from "../database-session";
import { eachRows } from "../row-lines";
import { PAGE_BYTES } from "../table-rows";
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
const objectOptions = { notExists: false, contentType: "text/plain" };

async function databaseWith(isMigrated: boolean): Promise<TestDatabase> {
  const database = await testDatabase(shop, isMigrated);
  onTestFinished(() => database.drop());
  return database;
}

afterAll(removeFolders);

describe("objects", () => {
  let source: TestDatabase;

  beforeAll(async () => {
    source = await testDatabase(shop, true);
  });

  afterAll(() => source.drop());

  /** Backs up a, b and c, and changes the folder of b when it is listed and a is in. */
  async function backUpWhile(change: (folder: string) => void, file: string): Promise<void> {
    const folder = temporaryFolder();
    const stores = emptyStores(folder);
    for (const name of ["a", "b", "c"]) await stores.get("files")?.put(name, Buffer.from(name), objectOptions);
    let seen = 0;
    const progress = (_: number, what: string): void => {
      if (what === "files" && ++seen === 1) change(objectFolder(join(folder, "files"), "b"));
    };
    await backUp(source, stores, { file, progress });
  }

  it("that do not open are no removed ones: the backup ends, and leaves no file", async () => {
    const file = join(temporaryFolder(), "b.tar.gz");
    const damage = (folder: string): void => writeFileSync(join(folder, "record.json"), "{");
    await expect(backUpWhile(damage, file)).rejects.toThrow(/JSON/);
    expect(readdirSync(dirname(file))).toEqual([]);
  });

  it("that are removed meanwhile are not in it, and all others are", async () => {
    const file = join(temporaryFolder(), "b.tar.gz");
    await backUpWhile((folder) => rmSync(folder, { recursive: true }), file);
    const into = emptyStores();
    await restore(file, await databaseWith(false), { into });
    const found: string[] = [];
    for await (const { name } of into.get("files")?.list("", Number.POSITIVE_INFINITY) ?? []) found.push(name);
    expect(found).toEqual(["a", "c"]);
  });
});

describe("rows", () => {
  const LARGE = 110_000;
  const bound = PAGE_BYTES + LARGE + 10;

  it("are asked for and written few at a time, also where they suddenly are large", async () => {
    const source = await databaseWith(true);
    await runOnServer(source.url, "insert into public.plain select 'x' from generate_series(1, 6000)");
    await runOnServer(source.url, `insert into public.plain select repeat('y', ${LARGE}) from generate_series(1, 120)`);
    const query = vi.spyOn(DatabaseSession.prototype, "query");
    onTestFinished(() => query.mockRestore());
    const file = await backUp(source, emptyStores());
    const fetched = query.mock.settledResults.flatMap(({ type, value }, at) =>
      type === "fulfilled" && query.mock.calls[at]?.[0].startsWith("fetch ") ? [value.length] : [],
    );
    expect(Math.max(...fetched)).toBe(100);
    const pages: number[] = [];
    await readEntries(file, async ({ name, size, body }) => {
      for await (const _ of body);
      if (name.startsWith("databases/app/public.plain/")) pages.push(size);
    });
    expect(Math.max(...pages)).toBeLessThan(bound);
    expect(pages.length).toBeLessThan(16);

    const loaded: number[] = [];
    const target = await databaseWith(false);
    await restore(file, target, { progress: (count) => loaded.push(count) });
    expect(Math.max(...loaded)).toBe(100);
    const count = "select count(*)::int as n, sum(length(one))::int as length from public.plain";
    expect(await runOnServer(target.url, count)).toEqual([{ n: 6120, length: 6000 + 120 * LARGE }]);
  });

  it("are read back in few at a time, however large a page a file has", async () => {
    const line = `${JSON.stringify(["y".repeat(LARGE)])}\n`;
    const small = '["x"]\n';
    const taken: { rows: number; length: number }[] = [];
    await eachRows({ name: "x", size: 0, body: joined(small, line) }, (rows) => {
      taken.push({ rows: rows.length, length: JSON.stringify(rows).length });
      return Promise.resolve();
    });
    expect(Math.max(...taken.map(({ rows }) => rows))).toBe(100);
    expect(Math.max(...taken.map(({ length }) => length))).toBeLessThan(bound + 100);
    expect(taken.reduce((sum, { rows }) => sum + rows, 0)).toBe(1_000 + 50);
  });
});

/** A thousand small rows and fifty large ones, in pieces that end anywhere. */
async function* joined(small: string, line: string): AsyncGenerator<Buffer> {
  const all = Buffer.from(small.repeat(1_000) + line.repeat(50));
  for (let from = 0; from < all.length; from += 65_536) yield await Promise.resolve(all.subarray(from, from + 65_536));
}
