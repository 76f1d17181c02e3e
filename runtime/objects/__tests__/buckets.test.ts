import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Host } from "../../host";
import type { AppModel } from "../../model";
import { TypedObjectError, type Bucket, type BucketObject, type ListEntry } from "../bucket";
import { createBuckets } from "../index";

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, prepareInfo: () => null };
const objectsDir = mkdtempSync(join(tmpdir(), "objects-"));
let server: Server;
let files: Bucket;
let site: Bucket;
let versions: Bucket;
let unknown: Bucket;

beforeAll(async () => {
  const buckets = [
    { name: "files", versioned: false, public: false },
    { name: "site", versioned: false, public: true },
    { name: "versions", versioned: true, public: false },
  ];
  const host = { model: { buckets } as AppModel, config: { objectsDir, apiBaseUrl: "" } as Host["config"], testMode: true, log: quiet, newDecimal: String } as Host;
  server = createServer((request, response) => {
    if (!host.front?.some((handle) => handle(request, response))) response.writeHead(599).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  host.config.apiBaseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const part = createBuckets(host);
  [files, site, versions, unknown] = ["files", "site", "versions", "nope"].map((name) => part.bucket(name)) as [Bucket, Bucket, Bucket, Bucket];
});
afterAll(() => {
  server.close();
  rmSync(objectsDir, { recursive: true });
});

/** The value, or the error as a thrown message with its kind. */
async function ok<T>(work: Promise<T | TypedObjectError | null>): Promise<T> {
  const result = await work;
  if (result instanceof TypedObjectError) throw new Error(`${result.kind}: ${result.message}`);
  return result as T;
}

const put = (object: BucketObject, text: string, options = {}) => ok(object.upload(Buffer.from(text), options));

async function names(bucket: Bucket, options: { prefix?: string; limit?: number }): Promise<string[]> {
  const iterator = await ok(bucket.list(options));
  const found: string[] = [];
  for (let entry: ListEntry | null; (entry = await iterator.next()); ) found.push(entry.name);
  return found;
}

describe("a bucket", () => {
  it("gives back what was uploaded, with its attributes, until it is removed", async () => {
    const object = files.object("a/b.txt");
    const attrs = await put(object, "hello", { contentType: "text/plain" });
    expect(attrs).toMatchObject({ name: "a/b.txt", size: 5, contentType: "text/plain" });
    expect(await ok(object.attrs())).toEqual(attrs);
    expect(String(await ok(object.downloadAll()))).toBe("hello");
    expect(await object.delete()).toBeNull();
    expect(await ok(object.exists())).toBe(false);
    await expect(ok(object.downloadAll())).rejects.toThrow("0: object not found");
    await expect(ok(object.delete())).rejects.toThrow("0: object not found");
  });

  it.each(["../../escape", "..", "a b/ü?.txt", "/lead", "x".repeat(900), "a", "a/b", "nul\u0000", "con:"])("takes the name %j and stays in its folder", async (name) => {
    const before = readdirSync(join(objectsDir, ".."));
    await put(files.object(name), "x");
    expect(await names(files, { prefix: name })).toContain(name);
    await ok(files.object(name).delete());
    expect(readdirSync(join(objectsDir, "..")).filter((entry) => !before.includes(entry) && entry.startsWith("escape"))).toEqual([]);
  });

  it("refuses the empty name, bytes that are none, and versions that are no numbers", async () => {
    await expect(put(files.object(""), "x")).rejects.toThrow("3: an object's name must not be empty");
    await expect(files.object("u").upload("text" as unknown as Buffer)).rejects.toMatchObject({ code: "InvalidArg" });
    await expect(ok(files.object("u").downloadAll({ version: "nope" }))).rejects.toThrow("3: invalid version number nope");
  });

  it("lists by prefix in the order of the names, up to the limit", async () => {
    for (const name of ["l/2", "l/10", "l/1", "m"]) await put(files.object(name), name);
    expect(await names(files, { prefix: "l/" })).toEqual(["l/1", "l/10", "l/2"]);
    expect(await names(files, { prefix: "l/", limit: 2 })).toEqual(["l/1", "l/10"]);
    expect(await names(files, { prefix: "none/" })).toEqual([]);
  });

  it("lets exactly one of many concurrent uploads win that ask for a new object", async () => {
    const uploads = await Promise.all(Array.from({ length: 8 }, (_, n) => files.object("once").upload(Buffer.from(String(n)), { preconditions: { notExists: true } })));
    const refused = uploads.filter((result) => result instanceof TypedObjectError);
    expect(refused).toHaveLength(7);
    expect(refused.every((error) => error.kind === 1)).toBe(true);
  });

  it("keeps older versions only where versioning is on", async () => {
    const [first, second] = [await put(versions.object("v"), "one"), await put(versions.object("v"), "two")];
    expect(String(await ok(versions.object("v").downloadAll({ version: first.version })))).toBe("one");
    expect(String(await ok(versions.object("v").downloadAll()))).toBe("two");
    await ok(versions.object("v").delete());
    expect(await ok(versions.object("v").exists())).toBe(false);
    expect(String(await ok(versions.object("v").downloadAll({ version: second.version })))).toBe("two");
    const old = await put(files.object("plain"), "one");
    await put(files.object("plain"), "two");
    expect(await ok(files.object("plain").exists({ version: old.version }))).toBe(false);
  });

  it("fails with a name when the app does not have it", async () => {
    await expect(ok(unknown.object("x").attrs())).rejects.toThrow("bucket nope is not configured");
  });
});

describe("a bucket URL", () => {
  const urlOf = async (object: BucketObject, method: "GET" | "PUT", ttl = 60) => (await ok(method === "GET" ? object.signedDownloadUrl({ ttl }) : object.signedUploadUrl({ ttl }))).url;

  it("uploads and downloads what it was signed for", async () => {
    const object = files.object("signed ü.txt");
    const sent = await fetch(await urlOf(object, "PUT"), { method: "PUT", body: "signed body", headers: { "content-type": "text/x-test" } });
    expect([sent.status, await sent.text()]).toEqual([200, ""]);
    const got = await fetch(await urlOf(object, "GET"));
    expect([got.status, got.headers.get("content-type"), await got.text()]).toEqual([200, "text/x-test", "signed body"]);
    expect(got.headers.get("content-security-policy")).toBe("sandbox");
    expect((await ok(object.attrs())).etag).toBe((await put(object, "signed body")).etag);
  });

  it("is refused when it was signed for another method or object, was changed, or has expired", async () => {
    const object = files.object("guarded");
    await put(object, "x");
    const get = await urlOf(object, "GET");
    const status = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;
    expect(await status(get)).toBe(200);
    expect(await status(get, { method: "PUT", body: "y" })).toBe(403);
    expect(await status(get.replace("guarded", "once"))).toBe(403);
    expect(await status(get.replace("X-Goog-Expires=60", "X-Goog-Expires=99"))).toBe(403);
    expect(await status(get.replace(/Signature=.{6}/, "Signature=000000"))).toBe(403);
    expect(await status(get.split("?")[0] ?? "")).toBe(403);
    expect(await status(await urlOf(object, "GET", 0))).toBe(403);
    expect(await status(await urlOf(files.object("not-there"), "GET"))).toBe(404);
  });

  it("may not live longer than seven days", async () => {
    await expect(ok(files.object("x").signedUploadUrl({ ttl: 700_000 }))).rejects.toThrow("2: invalid argument");
  });

  it("needs no signature for a public bucket, to read", async () => {
    const page = site.object("a b/page.html");
    await put(page, "<p>hi</p>", { contentType: "text/html" });
    const got = await fetch(page.publicUrl());
    expect([got.status, got.headers.get("content-type"), await got.text()]).toEqual([200, "text/html", "<p>hi</p>"]);
    expect((await fetch(page.publicUrl(), { method: "PUT", body: "x" })).status).toBe(403);
    expect((await fetch(page.publicUrl(), { method: "DELETE" })).status).toBe(405);
    expect(() => files.object("x").publicUrl()).toThrow("bucket is not public");
  });
});
