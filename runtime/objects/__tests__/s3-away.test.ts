// What a bucket on S3 answers when there is no S3: a typed error, and never the end of the process.
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import type { S3Server } from "../../config";
import { usesPathStyle } from "../s3-servers";
import { ok, openBuckets, type Subject } from "./support/subject";

const open: (Subject | Server)[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) {
    if ("closeAllConnections" in one) one.closeAllConnections();
    await (one.close as () => Promise<void> | Server)();
  }
});

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function bucketAt(endpoint: string) {
  const server: S3Server = { region: "eu-north-1", endpoint, accessKeyId: "id", secretAccessKey: "secret" };
  const subject = await openBuckets({
    objectsDir: "/nowhere",
    objectStorage: { files: { server, bucket: "cloud", keyPrefix: "" } },
  });
  open.push(subject);
  return subject.bucket("files");
}

it("a server that nobody reaches is an error of each operation", async () => {
  const bucket = await bucketAt("http://127.0.0.1:1");
  const object = bucket.object("x");
  const work: Promise<unknown>[] = [
    object.attrs(),
    object.exists(),
    object.downloadAll(),
    object.upload(Buffer.from("x")),
    object.upload(Buffer.alloc(9_000_000)),
    object.delete(),
    bucket.list({}),
  ];
  for (const one of work) await expect(ok(one)).rejects.toThrow(/^3: S3 could not .* the bucket cloud: ECONNREFUSED/);
});

it("an answer that is none of S3's is an error", async () => {
  for (const status of [200, 400, 404]) {
    const bucket = await bucketAt(
      await listen((_, response) => response.writeHead(status, { "content-type": "text/html" }).end("<html>hello")),
    );
    await expect(ok(bucket.list({}))).rejects.toThrow(/^3: S3 could not list objects in the bucket cloud: /);
  }
  const object = (
    await bucketAt(
      await listen((_, response) => response.writeHead(404, { "content-type": "text/html" }).end("<html>hello")),
    )
  ).object("x");
  await expect(ok(object.downloadAll())).rejects.toThrow(/^3: S3 could not read an object/);
});

it("an object whose bytes stop in the middle is an error", async () => {
  const endpoint = await listen((request, response) => {
    response.writeHead(200, { "content-length": 1000 }).write("half");
    setImmediate(() => request.socket.destroy());
  });
  await expect(ok((await bucketAt(endpoint)).object("x").downloadAll())).rejects.toThrow(
    /^3: S3 could not read an object/,
  );
});

it("a listing that fails after its first page rejects there, as the official one does", async () => {
  let pages = 0;
  const page = `<ListBucketResult><Contents><Key>a</Key><Size>1</Size><ETag>"e"</ETag></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>`;
  const bucket = await bucketAt(
    await listen((_, response) =>
      pages++
        ? response.writeHead(403).end()
        : response.writeHead(200, { "content-type": "application/xml" }).end(page),
    ),
  );
  const entries = await ok(bucket.list({}));
  expect(await entries.next()).toEqual({ name: "a", size: 1, etag: "e" });
  await expect(entries.next()).rejects.toMatchObject({
    code: "GenericFailure",
    message: expect.stringMatching(/HTTP 403/),
  });
});

it("a URL is signed without asking anybody, for the object's key at the server", async () => {
  const bucket = await bucketAt("http://127.0.0.1:1");
  const { url } = await ok(bucket.object("a b/ü.txt").signedUploadUrl({ ttl: 60 }));
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:1\/cloud\/a%20b\/%C3%BC\.txt\?/);
  const query = new URL(url).searchParams;
  expect([query.get("X-Amz-Expires"), query.get("X-Amz-SignedHeaders")]).toEqual(["60", "host"]);
  expect([...query.keys()].filter((key) => key.toLowerCase().includes("checksum"))).toEqual([]);
});

it("the bucket stands in the path where its name cannot stand before the host's", () => {
  const at = (endpoint?: string) => usesPathStyle({ region: "auto", ...(endpoint === undefined ? {} : { endpoint }) });
  expect([at(), at("https://account.r2.cloudflarestorage.com"), at("https://nyc3.digitaloceanspaces.com")]).toEqual([
    false,
    false,
    false,
  ]);
  expect([
    at("http://10.0.0.7:9000"),
    at("http://[::1]:9000"),
    at("http://minio:9000"),
    at("http://localhost:9000"),
  ]).toEqual([true, true, true, true]);
  expect(usesPathStyle({ region: "auto", endpoint: "https://s3.example.com", forcePathStyle: true })).toBe(true);
});
