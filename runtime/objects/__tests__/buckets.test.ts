// Buckets as folders on disk: the contract of every store, and what a folder adds to it.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Bucket } from "../bucket";
import { bucketContract } from "./support/bucket-contract";
import { names, ok, openBuckets, put, type Subject } from "./support/subject";

const folders: string[] = [];
function temporaryFolder(): string {
  folders.push(mkdtempSync(join(tmpdir(), "objects-")));
  return folders.at(-1)!;
}
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

describe("the contract", () =>
  bucketContract({ checksPreconditions: true, checksSignatures: true, joinsParts: true }, () =>
    openBuckets({ objectsDir: temporaryFolder() }),
  ));

describe("a folder", () => {
  const objectsDir = join(temporaryFolder(), "objects");
  const drafts = join(objectsDir, ".uploads");
  const abandoned = join(drafts, "abandoned");
  let subject: Subject;
  let files: Bucket;
  beforeAll(async () => {
    mkdirSync(drafts, { recursive: true });
    for (const name of ["abandoned", "fresh"]) writeFileSync(join(drafts, name), "half");
    const old = Date.now() / 1000 - 90_000;
    utimesSync(abandoned, old, old);
    subject = await openBuckets({ objectsDir });
    files = subject.bucket("files");
  });
  afterAll(() => subject.close());

  it("is not left by any name", async () => {
    for (const name of ["../../escape", "..", "/etc/x", "a/../../../b", "nul\u0000"]) {
      await put(files.object(name), "x");
      await ok(files.object(name).delete());
    }
    expect(readdirSync(join(objectsDir, ".."))).toEqual(["objects"]);
  });

  it("refuses versions that are no numbers", async () => {
    await expect(ok(subject.bucket("versions").object("u").downloadAll({ version: "nope" }))).rejects.toThrow(
      "3: invalid version number nope",
    );
  });

  it("keeps no drafts: neither those that a killed process left, nor those of an upload that breaks off", async () => {
    expect(readdirSync(drafts)).toEqual(["fresh"]);
    const { url } = await ok(files.object("half").signedUploadUrl({ ttl: 60 }));
    const upload = request(url, { method: "PUT", headers: { "content-length": 1_000_000 } });
    upload.on("error", () => undefined);
    upload.write(Buffer.alloc(1000));
    await vi.waitFor(() => expect(readdirSync(drafts)).toHaveLength(2), { timeout: 90_000 });
    upload.destroy();
    await vi.waitFor(() => expect(readdirSync(drafts)).toEqual(["fresh"]), { timeout: 90_000 });
    expect(await ok(files.object("half").exists())).toBe(false);
    expect(await names(files, { prefix: "half" })).toEqual([]);
  });

  it("that cannot be read is an error, not an empty list", async () => {
    const broken = await openBuckets({ objectsDir: join(objectsDir, "broken") });
    const bucket = broken.bucket("files");
    writeFileSync(join(objectsDir, "broken", "files"), "a file where the folder should be");
    await expect(ok(bucket.list({}))).rejects.toThrow(/^4: ENOTDIR/);
    await broken.close();
  });

  it("serves what was uploaded as data, never as a page of the API's own origin", async () => {
    await put(subject.bucket("site").object("page"), "<script>", { contentType: "text/html" });
    const got = await fetch(subject.bucket("site").object("page").publicUrl());
    expect(got.headers.get("content-security-policy")).toBe("sandbox");
    expect(got.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("fails with a name for a bucket that the app does not have", async () => {
    await expect(ok(subject.bucket("nope").object("x").attrs())).rejects.toThrow("bucket nope is not configured");
    await expect(ok(subject.bucket("nope").list({}))).rejects.toThrow("bucket nope is not configured");
  });
});
