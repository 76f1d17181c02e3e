// A file that is no backup, however well it is packed, is refused by one clear error before anything is made or held.
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Infra, InfraError, startInfra } from "../../infra";
import type { AppModel } from "../../model";
import { runOnServer } from "../../infra/database-url";
import { removeFolders, temporaryFolder } from "../../infra/__tests__/support";
import { checkArchive } from "../archive-check";
import type { BackupHeader } from "../archive-format";
import { readEntries } from "../archive-reader";
import {
  backUp,
  emptyStores,
  fill,
  folderWith,
  ignore,
  restore,
  shopMigrations,
  type TestDatabase,
  testDatabase,
} from "./installation";

type Entries = Map<string, string | Buffer>;

const shop = folderWith(shopMigrations);
let target: TestDatabase;
/** Of a backup, without the checksums at its end. */
let entries: Entries;
let checksums: Record<string, unknown>;

async function entriesOf(file: string): Promise<Entries> {
  const found: Entries = new Map();
  await readEntries(file, async ({ name, body }) => {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    found.set(name, Buffer.concat(chunks));
  });
  return found;
}

/** Packed as a backup is, with the checksum of what it has. */
async function packed(content: Entries, ending: Entries = new Map()): Promise<string> {
  const path = join(temporaryFolder(), "made.tar.gz");
  const tar = pack();
  const written = pipeline(tar, createGzip(), createWriteStream(path));
  const hash = createHash("sha256");
  for (const [name, text] of content) {
    const bytes = Buffer.from(text);
    tar.entry({ name }, bytes);
    hash.update(`${name}\0${bytes.length}\0${createHash("sha256").update(bytes).digest("hex")}\n`);
  }
  tar.entry({ name: "checksums.json" }, JSON.stringify({ ...checksums, file: hash.digest("hex") }));
  for (const [name, text] of ending) tar.entry({ name }, text);
  tar.finalize();
  await written;
  return path;
}

const withHeader = (change: (header: BackupHeader) => object): Promise<string> => {
  const header = JSON.parse(String(entries.get("backup.json"))) as BackupHeader;
  return packed(new Map(entries).set("backup.json", JSON.stringify(change(header))));
};

const withEntry = (name: string, text: string | Buffer): Promise<string> => packed(new Map(entries).set(name, text));

beforeAll(async () => {
  const source = await testDatabase(shop, true);
  for (const statement of fill.split(/;\n/)) await runOnServer(source.url, statement);
  const stores = emptyStores();
  await stores.get("files")?.put("one", Buffer.from("bytes"), { notExists: false, contentType: "text/plain" });
  entries = await entriesOf(await backUp(source, stores));
  checksums = JSON.parse(String(entries.get("checksums.json"))) as Record<string, unknown>;
  entries.delete("checksums.json");
  await source.drop();
  target = await testDatabase(shop, false);
});

afterAll(async () => {
  await target.drop();
  removeFolders();
});

async function expectRefusal(file: string, message: RegExp): Promise<void> {
  const error: unknown = await restore(file, target).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InfraError);
  expect((error as Error).message).toMatch(message);
  expect(
    await runOnServer(target.url, "select 1 from pg_namespace where nspname like 'shop' or nspname like 'groundwork%'"),
  ).toEqual([]);
}

const itemRows = "databases/app/shop.item/000001.ndjson";

describe("a file that says what no backup says", () => {
  it("is taken where it says what one does", async () => {
    await expect(checkArchive(await packed(entries))).resolves.toBeDefined();
  });

  it.each<[string, (header: BackupHeader) => object]>([
    ["a format below the first", (header) => ({ ...header, formatVersion: -5 })],
    ["a format of none", (header) => ({ ...header, formatVersion: 0 })],
    [
      "a migration without a number",
      ({ databases, ...header }) => ({
        ...header,
        databases: { app: { ...databases.app, migrations: [{ number: "abc", file: "x", checksum: null }] } },
      }),
    ],
    [
      "a sequence that stands nowhere",
      ({ databases, ...header }) => ({
        ...header,
        databases: {
          app: { ...databases.app, sequences: [{ schema: "shop", name: "numbers", lastValue: "1;", isCalled: true }] },
        },
      }),
    ],
  ])("is refused for %s", async (_, change) => {
    await expectRefusal(await withHeader(change), /^backup.json of the backup is not what it must be/);
  });

  it.each<[string, string, string | Buffer, RegExp]>([
    ["a name that does not decode", "databases/app/%E0%/000001.ndjson", "[]\n", /has a name that no backup has/],
    [
      "rows of a table that it does not have",
      "databases/app/shop.other/000001.ndjson",
      "[]\n",
      /of nothing that the backup says it has/,
    ],
    [
      "objects of a bucket that it does not have",
      "objects/other/00000001.json",
      "{}",
      /of nothing that the backup says it has/,
    ],
    ["rows that are no JSON", itemRows, "[1\n", /has a row that is no list of texts/],
    ["rows that are no lists of texts", itemRows, "[1]\n", /has a row that is no list of texts/],
    ["rows of other columns", itemRows, '["x"]\n', /has a row of other columns than its table/],
    [
      "a row that has no end",
      "databases/app/public.plain/000001.ndjson",
      '["x"]\n["y"]',
      /ends in the middle of a row/,
    ],
    ["an object of another size", "objects/files/00000001.bytes", "more bytes", /stands without its name/],
    [
      "a head of an object that is none",
      "objects/files/00000001.json",
      '{"name":"x","contentType":"y","size":-1}',
      /is not what it must be/,
    ],
    [
      "a head of an object that fills the memory",
      "objects/files/00000001.json",
      Buffer.alloc(2_000_000, " "),
      /has 2000000 bytes: more than/,
    ],
  ])("is refused for %s", async (_, name, text, message) => {
    await expectRefusal(await withEntry(name, text), message);
  });

  it("is refused where it goes on behind its end", async () => {
    await expectRefusal(await packed(entries, new Map([["more", "x"]])), /goes on behind its end/);
  });

  it("is refused by its first name, before that entry is read, and by the size of what it says it has", async () => {
    const large = Buffer.alloc(17 * 1024 * 1024, " ");
    await expectRefusal(
      await packed(new Map([["other.json", large]])),
      /no backup of groundwork: it begins with other.json/,
    );
    await expectRefusal(
      await withEntry("backup.json", large),
      /backup.json of the backup has 17825792 bytes: more than/,
    );
  });

  it("is refused where it is of databases or buckets that the app does not have", async () => {
    await expectRefusal(
      await withHeader((header) => ({ ...header, buckets: [...header.buckets, "others"] })),
      /the backup has others, which this app does not have/,
    );
  });

  it("is refused where a table has other columns than the migrations make, with no row restored", async () => {
    const rows = "databases/app/public.plain/000001.ndjson";
    const header = JSON.parse(String(entries.get("backup.json"))) as BackupHeader;
    for (const table of header.databases.app?.tables ?? [])
      if (table.name === "plain") table.columns.push({ name: "two", type: "text", generated: false });
    const content = new Map(entries).set("backup.json", JSON.stringify(header)).set(rows, '["x","y"]\n');
    const own = await testDatabase(shop, false);
    const error: unknown = await restore(await packed(content), own).catch((thrown: unknown) => thrown);
    const left = await runOnServer(own.url, "select one from public.plain");
    await own.drop();
    expect(error).toBeInstanceOf(InfraError);
    expect((error as Error).message).toMatch(/public.plain of the backup's database app has other columns/);
    expect(left).toEqual([]);
  });
});

describe("a restore that broke off", () => {
  const startOn = ({ url }: TestDatabase): Promise<Infra> => {
    const model = { databases: [{ name: "app" }], topics: [], services: [] } as unknown as AppModel;
    const folder = temporaryFolder();
    return startInfra({ appRoot: folder, stateDir: folder, env: { DATABASE_URL: url }, model, log: ignore });
  };

  it("at objects that come back otherwise leaves a database on which no app starts, until one is whole", async () => {
    const own = await testDatabase(shop, false);
    onTestFinished(() => own.drop());
    const changed = new Map(entries).set("objects/files/00000001.bytes", "BYTES");
    await expect(restore(await packed(changed), own)).rejects.toThrow(
      /the bucket files gives back other objects than it was given/,
    );
    expect(await runOnServer(own.url, "select count(*)::int as n from shop.owner")).toEqual([{ n: 2 }]);
    await expect(startOn(own)).rejects.toThrow(/a restore into the database app has not ended[\s\S]*--overwrite/);
    await expect(backUp(own, emptyStores())).rejects.toThrow(/a restore into the database app has not ended/);
    await expect(restore(await packed(entries), own)).rejects.toThrow(/the database app is not empty/);
    await expect(restore(await packed(changed), own, { overwrite: true })).rejects.toThrow(/gives back other objects/);
    await expect(startOn(own)).rejects.toThrow(/has not ended/);
    await restore(await packed(entries), own, { overwrite: true });
    await (await startOn(own)).stop();
    await backUp(own, emptyStores());
  });
});
