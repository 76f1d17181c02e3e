// What a bucket does wherever it is kept (contract 9.4). Every store passes the same tests.
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Bucket, type BucketObject, TypedObjectError } from "../../bucket";
import { entries, names, ok, put, type Subject } from "./subject";

/** What some S3 servers do not do; never the store. */
export interface Server {
  /** Refuses an upload with `If-None-Match` where there is an object. */
  checksPreconditions: boolean;
  /** Refuses a request whose signature is wrong or has expired. */
  checksSignatures: boolean;
  /** Gives back in their order what came in parts. */
  joinsParts: boolean;
}

const oddNames = [
  "../../escape",
  "..",
  "a b/ü?.txt",
  "/lead",
  "x".repeat(900),
  "a",
  "a/b",
  "a//b",
  "con:",
  "+&'%41",
  "%2e",
  "\u0001",
  "e\u0301",
  "é",
  "😀",
];

export function bucketContract(server: Server, open: () => Promise<Subject>, setUpMs = 30_000): void {
  let subject: Subject;
  let files: Bucket;
  let site: Bucket;
  let versions: Bucket;
  beforeAll(async () => {
    subject = await open();
    [files, site, versions] = ["files", "site", "versions"].map((name) => subject.bucket(name)) as [
      Bucket,
      Bucket,
      Bucket,
    ];
  }, setUpMs);
  afterAll(() => subject.close());
  afterEach(() => vi.useRealTimers());

  describe("an object", () => {
    it("comes back as it was uploaded, with its attributes, until it is removed", async () => {
      const object = files.object("a/b.txt");
      const attrs = await put(object, "hello", { contentType: "text/plain" });
      expect(attrs).toMatchObject({
        name: "a/b.txt",
        size: 5,
        contentType: "text/plain",
        etag: "5d41402abc4b2a76b9719d911017c592",
      });
      expect(await ok(object.attrs())).toEqual(attrs);
      expect(await entries(files, { prefix: "a/b.txt" })).toEqual([
        { name: attrs.name, size: attrs.size, etag: attrs.etag },
      ]);
      expect(String(await ok(object.downloadAll()))).toBe("hello");
      expect(await object.delete()).toBeNull();
      expect(await ok(object.exists())).toBe(false);
    });

    it("that is not there is an error by its kind, and only a `false` where it is asked for", async () => {
      const object = files.object("nope");
      for (const work of [object.attrs(), object.downloadAll(), object.delete()])
        await expect(ok<unknown>(work)).rejects.toThrow("0: object not found");
      expect(await ok(object.exists())).toBe(false);
    });

    it("is binary where no type is told, may have no bytes, and is replaced by the next upload", async () => {
      const object = files.object("plain");
      expect(await put(object, "")).toMatchObject({ size: 0, contentType: "application/octet-stream" });
      expect(await ok(object.attrs())).toMatchObject({ size: 0, contentType: "application/octet-stream" });
      expect(await ok(object.downloadAll())).toEqual(Buffer.alloc(0));
      await put(object, "two");
      expect(String(await ok(object.downloadAll()))).toBe("two");
    });

    it.each(oddNames)("may be called %j", async (name) => {
      const own = files.object(name);
      await put(own, `at ${name}`);
      expect(await ok(own.attrs())).toMatchObject({ name });
      expect(await names(files, { prefix: name })).toContain(name);
      expect(String(await ok(own.downloadAll()))).toBe(`at ${name}`);
      await ok(own.delete());
      expect(await ok(own.exists())).toBe(false);
    });

    it("has a name and bytes", async () => {
      const nameless = files.object("");
      for (const work of [
        nameless.upload(Buffer.from("x")),
        nameless.exists(),
        nameless.delete(),
        nameless.signedUploadUrl(),
      ]) {
        await expect(ok<unknown>(work)).rejects.toThrow("3: an object's name must not be empty");
      }
      await expect(files.object("u").upload("text" as unknown as Buffer)).rejects.toMatchObject({ code: "InvalidArg" });
    });

    if (server.joinsParts)
      it("of 20 MiB comes back the same", async () => {
        const bytes = randomBytes(20 * 1024 * 1024);
        const object = files.object("large");
        const attrs = await ok(object.upload(bytes, { contentType: "video/mp4" }));
        expect(attrs).toMatchObject({ size: bytes.length, contentType: "video/mp4" });
        expect(await ok(object.attrs())).toEqual(attrs);
        expect(bytes.equals(await ok(object.downloadAll()))).toBe(true);
      });
  });

  describe("a list", () => {
    it("has what begins with the prefix in the order of the names, up to the limit", async () => {
      for (const name of ["l/2", "l/10", "l/1", "m", "l/é", "l/z"]) await put(files.object(name), name);
      expect(await names(files, { prefix: "l/" })).toEqual(["l/1", "l/10", "l/2", "l/z", "l/é"]);
      expect(await names(files, { prefix: "l/", limit: 2 })).toEqual(["l/1", "l/10"]);
      expect(await names(files, { prefix: "l/", limit: 0 })).toEqual([]);
      expect(await names(files, { prefix: "none/" })).toEqual([]);
      expect(await names(files, {})).toEqual(expect.arrayContaining(["l/1", "m"]));
    });
  });

  if (server.checksPreconditions)
    describe("an upload that must be the first", () => {
      it("is refused where there is an object, and of many at once exactly one wins", async () => {
        const object = files.object("once");
        const uploads = await Promise.all(
          Array.from({ length: 8 }, (_, n) =>
            object.upload(Buffer.from(String(n)), { preconditions: { notExists: true } }),
          ),
        );
        const refused = uploads.filter((result) => result instanceof TypedObjectError);
        expect(refused.map(({ kind, message }) => `${kind}: ${message}`)).toEqual(
          Array(7).fill("1: precondition failed"),
        );
        await put(object, "again", { preconditions: { notExists: false } });
        expect(String(await ok(object.downloadAll()))).toBe("again");
      });
    });

  describe("versions", () => {
    it("are kept where the bucket is versioned, also of an object that was removed", async () => {
      const object = versions.object("v");
      const [first, second] = [await put(object, "one"), await put(object, "two")];
      expect(first.version).not.toBe(second.version);
      expect(await ok(object.attrs())).toEqual(second);
      expect(await ok(object.attrs({ version: first.version }))).toEqual(first);
      expect(String(await ok(object.downloadAll({ version: first.version })))).toBe("one");
      await ok(object.delete());
      expect(await ok(object.exists())).toBe(false);
      expect(await names(versions, { prefix: "v" })).toEqual([]);
      await expect(ok(object.delete())).rejects.toThrow("0: object not found");
      expect(String(await ok(object.downloadAll({ version: second.version })))).toBe("two");
      await ok(object.delete({ version: first.version }));
      expect(await ok(object.exists({ version: first.version }))).toBe(false);
      expect(await ok(object.exists({ version: second.version }))).toBe(true);
    });

    it("are no option where it is not", async () => {
      const object = files.object("unversioned");
      await put(object, "one");
      expect(String(await ok(object.downloadAll({ version: "17" })))).toBe("one");
      await ok(object.delete({ version: "17" }));
      expect(await ok(object.exists())).toBe(false);
    });
  });

  describe("a signed URL", () => {
    const urlOf = async (object: BucketObject, method: "GET" | "PUT") =>
      (await ok(method === "GET" ? object.signedDownloadUrl({ ttl: 60 }) : object.signedUploadUrl({ ttl: 60 }))).url;
    const status = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;

    it("uploads and downloads what it was signed for", async () => {
      const object = files.object("signed ü+.txt");
      const sent = await fetch(await urlOf(object, "PUT"), {
        method: "PUT",
        body: "signed body",
        headers: { "content-type": "text/x-test" },
      });
      expect([sent.status, await sent.text()]).toEqual([200, ""]);
      const got = await fetch(await urlOf(object, "GET"));
      expect([got.status, got.headers.get("content-type"), await got.text()]).toEqual([
        200,
        "text/x-test",
        "signed body",
      ]);
      expect(await ok(object.attrs())).toMatchObject({ size: 11, contentType: "text/x-test" });
      expect(await status(await urlOf(files.object("not-there"), "GET"))).toBe(404);
    });

    if (server.checksSignatures)
      it("is refused when it was signed for another method or object, was changed, or has expired", async () => {
        const object = files.object("guarded");
        await put(object, "x");
        const get = await urlOf(object, "GET");
        expect(await status(get)).toBe(200);
        expect(await status(get, { method: "PUT", body: "y" })).toBe(403);
        expect(await status(get.replace("guarded", "l/1"))).toBe(403);
        expect(await status(get.replace("Expires=60", "Expires=99"))).toBe(403);
        expect(await status(get.replace(/Signature=.{6}/, "Signature=000000"))).toBe(403);
        expect(await status(get.split("?")[0] ?? "")).toBe(403);
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 61_000 });
        const old = await urlOf(object, "GET");
        vi.useRealTimers();
        expect(await status(old)).toBe(403);
      });

    it("may not live longer than seven days", async () => {
      for (const work of [
        files.object("x").signedUploadUrl({ ttl: 604_801 }),
        files.object("x").signedDownloadUrl({ ttl: -1 }),
      ]) {
        await expect(ok(work)).rejects.toThrow("2: invalid argument");
      }
      expect(await ok(files.object("x").signedDownloadUrl({ ttl: 604_800 }))).toHaveProperty("url");
    });
  });

  describe("a public bucket", () => {
    it("is read by everybody, at the URL that it tells", async () => {
      const page = site.object("a b/pagé.html");
      await put(page, "<p>hi</p>", { contentType: "text/html" });
      const got = await fetch(page.publicUrl());
      expect([got.status, got.headers.get("content-type"), await got.text()]).toEqual([200, "text/html", "<p>hi</p>"]);
      expect(() => files.object("x").publicUrl()).toThrow("bucket is not public");
    });

    if (server.checksSignatures)
      it("is written by nobody else", async () => {
        const url = site.object("a b/pagé.html").publicUrl();
        expect((await fetch(url, { method: "PUT", body: "x" })).status).toBe(403);
        expect((await fetch(url, { method: "DELETE" })).status).toBeOneOf([403, 405]);
      });
  });
}
