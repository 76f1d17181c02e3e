// Serves what bucket URLs point at: public objects to everybody, anything to the holder of a signed URL.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { FrontHandler, HostLog } from "../host";
import { withDraft } from "./disk-drafts";
import type { DiskStore } from "./disk-store";
import { ObjectProblem } from "./errors";
import { isSignatureGood } from "./signing";

export interface ServedBucket {
  store: DiskStore;
  public: boolean;
}

export interface UrlHandlerOptions {
  namespace: string;
  signingKey: Buffer;
  buckets: ReadonlyMap<string, ServedBucket>;
  log: HostLog;
  now: () => number;
}

interface Target {
  bucket: ServedBucket;
  name: string;
  path: string;
  query: URLSearchParams;
}

const problems: Record<number, string> = {
  403: "the URL is not signed for this, or it has expired\n",
  404: "object not found\n",
  405: "method not allowed\n",
  500: "internal error\n",
};

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(problems[status]);
}

function targetOf(request: IncomingMessage, { namespace, buckets }: UrlHandlerOptions): Target | undefined {
  const url = request.url ?? "";
  const [path = "", query = ""] = url.split("?", 2);
  const [, bucketName = "", ...rest] = path.slice(1).split("/");
  if (!path.startsWith(`/${namespace}/`)) return undefined;
  const bucket = buckets.get(bucketName);
  if (!bucket) return undefined;
  try {
    return { bucket, name: rest.map(decodeURIComponent).join("/"), path, query: new URLSearchParams(query) };
  } catch {
    return undefined; // not a URL that we made
  }
}

async function download({ bucket, name }: Target, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { path, object } = await bucket.store.file(name);
  response.writeHead(200, {
    "content-type": object.contentType,
    "content-length": object.size,
    etag: `"${object.etag}"`,
    // What somebody uploaded must not run as a page of the API's own origin.
    "content-security-policy": "sandbox",
    "x-content-type-options": "nosniff",
  });
  if (request.method === "HEAD") return void response.end();
  await pipeline(createReadStream(path), response);
}

async function upload({ bucket, name }: Target, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const hash = createHash("md5");
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  await withDraft(bucket.store.draftsDir, async (draft) => {
    await pipeline(request, measure, createWriteStream(draft, { flush: true }));
    await bucket.store.putFile(name, draft, {
      contentType: request.headers["content-type"],
      notExists: false,
      size,
      etag: hash.digest("hex"),
    });
  });
  response.writeHead(200, { "content-length": 0 }).end();
}

function mayAccess({ bucket, path, query }: Target, method: string, { signingKey, now }: UrlHandlerOptions): boolean {
  const signedMethod = method === "HEAD" ? "GET" : method;
  if (query.has("X-Goog-Signature")) return isSignatureGood(signingKey, signedMethod, path, query, now());
  return bucket.public && signedMethod === "GET";
}

async function answer(
  target: Target,
  request: IncomingMessage,
  response: ServerResponse,
  options: UrlHandlerOptions,
): Promise<void> {
  const method = request.method ?? "GET";
  if (method !== "GET" && method !== "HEAD" && method !== "PUT") return refuse(response, 405);
  if (!mayAccess(target, method, options)) return refuse(response, 403);
  if (method === "PUT") await upload(target, request, response);
  else await download(target, request, response);
}

export function createUrlHandler(options: UrlHandlerOptions): FrontHandler {
  return (request, response) => {
    const target = targetOf(request, options);
    if (!target) return false;
    answer(target, request, response, options).catch((error: unknown) => {
      // The client went away in the middle, or the head is out: there is nobody or nothing left to tell.
      if (request.socket.destroyed || response.headersSent) return void response.destroy();
      if (error instanceof ObjectProblem) return refuse(response, 404);
      options.log.error("a bucket URL could not be answered", error);
      refuse(response, 500);
    });
    return true;
  };
}
