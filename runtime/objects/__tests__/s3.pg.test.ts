// Buckets on S3: the contract of every store on two servers of other people, and what is S3's own.
import { createServer, request as forward, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { ListMultipartUploadsCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { S3BucketConfig } from "../../config";
import type { Bucket } from "../bucket";
import { openStores } from "../stores";
import { bucketContract } from "./support/bucket-contract";
import {
  INSTALL_LIMIT_MS,
  keyPrefix,
  makeBuckets,
  moto,
  radosgw,
  startMoto,
  startRadosgw,
  type S3TestServer,
} from "./support/s3-server";
import { names, ok, openBuckets, put, type Subject } from "./support/subject";

const MIB = 1024 * 1024;

async function openOn(started: S3TestServer): Promise<Subject> {
  const subject = await openBuckets({ objectsDir: "/nowhere", objectStorage: await makeBuckets(started) });
  return {
    ...subject,
    async close() {
      await subject.close();
      await started.stop();
    },
  };
}

describe("the contract on Ceph's gateway", () =>
  bucketContract(radosgw, async () => openOn(await startRadosgw()), INSTALL_LIMIT_MS));
describe("the contract on moto", () => bucketContract(moto, async () => openOn(await startMoto()), INSTALL_LIMIT_MS));

/** Passes everything on to the server, but cuts the connection where `breaks` says so. */
async function startBreaker(
  endpoint: string,
  breaks: (request: IncomingMessage) => boolean,
): Promise<{ endpoint: string; close(): void }> {
  const { port: target } = new URL(endpoint);
  const server = createServer((request, response) => {
    if (breaks(request)) return void request.socket.destroy();
    const passed = forward(
      { host: "127.0.0.1", port: target, method: request.method, path: request.url, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    passed.on("error", () => response.destroy());
    request.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => (server.closeAllConnections(), server.close()),
  };
}

interface Opened {
  started: S3TestServer;
  storage: Record<string, S3BucketConfig>;
  subject: Subject;
}

async function openServer(start: () => Promise<S3TestServer>): Promise<Opened> {
  const started = await start();
  const storage = await makeBuckets(started);
  return { started, storage, subject: await openBuckets({ objectsDir: "/nowhere", objectStorage: storage }) };
}

/** The bucket `files`, its configuration changed. */
async function withFiles<T>(
  { storage }: Opened,
  change: (config: S3BucketConfig) => S3BucketConfig,
  work: (bucket: Bucket) => Promise<T>,
): Promise<T> {
  const other = await openBuckets({ objectsDir: "/nowhere", objectStorage: { files: change(storage.files!) } });
  try {
    return await work(other.bucket("files"));
  } finally {
    await other.close();
  }
}

async function close({ subject, started }: Opened): Promise<void> {
  await subject.close();
  await started.stop();
}

describe("a bucket on Ceph's gateway", () => {
  let opened: Opened;
  let files: Bucket;
  beforeAll(async () => {
    opened = await openServer(startRadosgw);
    files = opened.subject.bucket("files");
  }, INSTALL_LIMIT_MS);
  afterAll(() => close(opened));

  it("has the key prefix before every name, and shows nothing from outside of it", async () => {
    await put(files.object("mine"), "mine");
    await opened.started.client.send(new PutObjectCommand({ Bucket: "shared", Key: "other/theirs", Body: "theirs" }));
    const { Contents = [] } = await opened.started.client.send(new ListObjectsV2Command({ Bucket: "shared" }));
    expect(Contents.map(({ Key }) => Key)).toEqual(["other/theirs", `${keyPrefix}mine`]);
    expect(await names(files, {})).toEqual(["mine"]);
    expect(await ok(files.object("other/theirs").exists())).toBe(false);
  });

  it("lists beyond a page of a thousand", async () => {
    const all = Array.from({ length: 1005 }, (_, n) => `many/${String(n).padStart(4, "0")}`);
    for (let at = 0; at < all.length; at += 50)
      await Promise.all(all.slice(at, at + 50).map((name) => put(files.object(name), "x")));
    expect(await names(files, { prefix: "many/" })).toEqual(all);
    expect(await names(files, { prefix: "many/", limit: 1003 })).toEqual(all.slice(0, 1003));
  });

  it("says what is wrong with the configuration, without the key", async () => {
    const refused = await withFiles(
      opened,
      (config) => ({ ...config, server: { ...config.server, secretAccessKey: "not-the-key" } }),
      async (bucket) => [await bucket.object("x").upload(Buffer.from("x")), await bucket.list({})],
    );
    for (const one of refused)
      expect(one).toMatchObject({ kind: 3, message: expect.stringMatching(/SignatureDoesNotMatch.*HTTP 403/) });
    expect(JSON.stringify(refused)).not.toContain("not-the-key");
    const missing = await withFiles(
      opened,
      (config) => ({ ...config, bucket: "not-there" }),
      (bucket) => bucket.object("x").downloadAll(),
    );
    expect(missing).toMatchObject({ kind: 3, message: expect.stringMatching(/bucket not-there: NoSuchBucket/) });
  });
});

describe("a large object", () => {
  let opened: Opened;
  let files: Bucket;
  beforeAll(async () => {
    opened = await openServer(startMoto);
    files = opened.subject.bucket("files");
  }, INSTALL_LIMIT_MS);
  afterAll(() => close(opened));

  it("goes up in parts, without another copy of it", async () => {
    const bytes = Buffer.alloc(64 * MIB, 7);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers - before)), 1);
    const { etag } = await ok(files.object("large").upload(bytes));
    clearInterval(watch);
    expect(etag).toMatch(/-8$/);
    expect(most).toBeLessThan(40 * MIB);
    expect((await ok(files.object("large").attrs())).size).toBe(bytes.length);
  });

  it("goes through in pieces for a backup, up and down, with its type", async () => {
    const { stores, close: closeStores } = openStores({
      buckets: [{ name: "files", public: false, versioned: false }] as never,
      objectsDir: "/nowhere",
      objectStorage: opened.storage,
    });
    const store = stores.get("files")!;
    const piece = Buffer.alloc(MIB, 5);
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let count = 0; count < 20; count++) yield await Promise.resolve(piece);
    };
    await store.putStream("streamed", pieces(), { contentType: "text/x", size: 20 * MIB });
    const { object, body } = await store.open("streamed");
    expect(object).toMatchObject({ name: "streamed", size: 20 * MIB, contentType: "text/x" });
    let seen = 0;
    for await (const chunk of body) {
      expect(chunk.every((byte) => byte === 5)).toBe(true);
      seen += chunk.length;
    }
    expect(seen).toBe(20 * MIB);
    await store.putStream("nothing", (async function* () {})(), { contentType: "text/x", size: 0 });
    expect((await store.read("nothing")).length).toBe(0);
    await closeStores();
  });

  it("leaves nothing when its upload breaks off", async () => {
    const breaker = await startBreaker(
      opened.storage.files!.server.endpoint!,
      (request) => request.url?.includes("partNumber=2") ?? false,
    );
    const failure = await withFiles(
      opened,
      (config) => ({ ...config, server: { ...config.server, endpoint: breaker.endpoint } }),
      (bucket) => bucket.object("broken").upload(Buffer.alloc(20 * MIB)),
    );
    breaker.close();
    expect(failure).toMatchObject({
      kind: 3,
      message: expect.stringMatching(/^S3 could not store an object in the bucket shared: (ECONNRESET|EPIPE)/),
    });
    expect(await ok(files.object("broken").exists())).toBe(false);
    expect(
      (await opened.started.client.send(new ListMultipartUploadsCommand({ Bucket: "shared" }))).Uploads ?? [],
    ).toEqual([]);
  });
});
