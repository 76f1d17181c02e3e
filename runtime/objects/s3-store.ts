// A bucket on an S3 server, by the AWS SDK.
import { Readable } from "node:stream";
import type { GetObjectCommandInput, PutObjectCommandInput } from "@aws-sdk/client-s3";
import type { S3BucketConfig } from "../config";
import type { BucketModel } from "../model";
import type { BucketParts } from "./bucket";
import { ObjectProblem, otherProblem } from "./errors";
import { ObjectErrorKind } from "./object-error";
import { objectPath } from "./object-path";
import { s3Problem } from "./s3-errors";
import type { S3Connection, S3Servers } from "./s3-servers";
import {
  type BucketStore,
  type BucketUrls,
  CONTENT_TYPE_DEFAULT,
  type ListedObject,
  type OpenedObject,
  type PutOptions,
  type StoredObject,
  type StreamOptions,
} from "./store";

/** Beyond this an upload goes in parts, several at a time: S3 takes at most 5 GiB in one, and repeats only what failed. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_AT_ONCE = 4;
const PAGE_MAX = 1000;

const unquoted = (etag: string | undefined): string => (etag ?? "").replace(/^"(.*)"$/, "$1");

/** As `encoding-type=url` has it: names may have characters that XML has not. */
const decodedKey = (key: string): string => decodeURIComponent(key.replaceAll("+", " "));

/** Holds the bytes once, not the chunks and their sum. */
async function collect(body: AsyncIterable<Uint8Array>, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for await (const chunk of body) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  if (at !== size) throw otherProblem(`S3 sent ${at} of ${size} bytes`);
  return bytes;
}

export class S3Store implements BucketStore, Pick<BucketUrls, "signed"> {
  readonly #servers: S3Servers;
  readonly #config: S3BucketConfig;
  readonly #versioned: boolean;

  constructor(servers: S3Servers, config: S3BucketConfig, versioned: boolean) {
    this.#servers = servers;
    this.#config = config;
    this.#versioned = versioned;
  }

  attrs(name: string, version?: string): Promise<StoredObject> {
    return this.#call("describe an object", async ({ client, sdk }) => {
      const found = await client.send(new sdk.HeadObjectCommand(this.#target(name, version)));
      return this.#stored(name, found, { size: found.ContentLength ?? 0, contentType: found.ContentType });
    });
  }

  async exists(name: string, version?: string): Promise<boolean> {
    try {
      await this.attrs(name, version);
      return true;
    } catch (error) {
      if (error instanceof ObjectProblem && error.kind === ObjectErrorKind.NotFound) return false;
      throw error;
    }
  }

  read(name: string, version?: string): Promise<Buffer> {
    return this.#call("read an object", async ({ client, sdk }) => {
      const { Body, ContentLength } = await client.send(new sdk.GetObjectCommand(this.#target(name, version)));
      return collect(Body as AsyncIterable<Uint8Array>, ContentLength ?? 0);
    });
  }

  open(name: string): Promise<OpenedObject> {
    return this.#call("read an object", async ({ client, sdk }) => {
      const found = await client.send(new sdk.GetObjectCommand(this.#target(name)));
      const object = this.#stored(name, found, { size: found.ContentLength ?? 0, contentType: found.ContentType });
      return { object, body: found.Body as AsyncIterable<Uint8Array> };
    });
  }

  putStream(
    name: string,
    body: AsyncIterable<Uint8Array>,
    { contentType, size }: StreamOptions,
  ): Promise<StoredObject> {
    return this.#call("store an object", async ({ client }) => {
      const { Upload } = await import("@aws-sdk/lib-storage");
      const params = { ...this.#target(name), Body: Readable.from(body), ContentType: contentType };
      const sent = await new Upload({ client, params, partSize: PART_BYTES, queueSize: 1 }).done();
      return this.#stored(name, sent, { size, contentType });
    });
  }

  put(
    name: string,
    data: Uint8Array,
    { contentType = CONTENT_TYPE_DEFAULT, notExists }: PutOptions,
  ): Promise<StoredObject> {
    return this.#call("store an object", async (connection) => {
      const input = {
        ...this.#target(name),
        Body: data,
        ContentType: contentType,
        ...(notExists ? { IfNoneMatch: "*" } : {}),
      };
      return this.#stored(name, await this.#send(connection, input), { size: data.byteLength, contentType });
    });
  }

  async #send(
    { client, sdk }: S3Connection,
    input: PutObjectCommandInput & { Body: Uint8Array },
  ): Promise<{ ETag?: string; VersionId?: string }> {
    if (input.Body.byteLength <= PART_BYTES) return client.send(new sdk.PutObjectCommand(input));
    const { Upload } = await import("@aws-sdk/lib-storage");
    // Parts are views of the caller's buffer. An upload that fails is aborted, which removes the parts it had.
    return new Upload({ client, params: input, partSize: PART_BYTES, queueSize: PARTS_AT_ONCE }).done();
  }

  /** S3 says the same whether or not there was something: asked first, so that the answer is that of every store. */
  async remove(name: string, version?: string): Promise<void> {
    try {
      await this.attrs(name, version);
    } catch (error) {
      // Who may remove but not look gets no better answer than S3's.
      if (error instanceof ObjectProblem && error.kind === ObjectErrorKind.NotFound) throw error;
    }
    await this.#call("remove an object", ({ client, sdk }) =>
      client.send(new sdk.DeleteObjectCommand(this.#target(name, version))),
    );
  }

  async *list(prefix: string, limit: number): AsyncIterable<ListedObject> {
    let left = limit;
    let token: string | undefined;
    while (left > 0) {
      const page = await this.#page(prefix, Math.min(left, PAGE_MAX), token);
      yield* page.objects.slice(0, left);
      left -= page.objects.length;
      token = page.next;
      if (token === undefined) return;
    }
  }

  #page(prefix: string, size: number, token: string | undefined): Promise<{ objects: ListedObject[]; next?: string }> {
    const { bucket, keyPrefix } = this.#config;
    return this.#call("list objects", async ({ client, sdk }) => {
      const page = await client.send(
        new sdk.ListObjectsV2Command({
          Bucket: bucket,
          Prefix: keyPrefix + prefix,
          MaxKeys: size,
          EncodingType: "url",
          ContinuationToken: token,
        }),
      );
      const nameOf = (key = ""): string =>
        (page.EncodingType === "url" ? decodedKey(key) : key).slice(keyPrefix.length);
      const objects = (page.Contents ?? []).map(({ Key, Size, ETag }) => ({
        name: nameOf(Key),
        size: Size ?? 0,
        etag: unquoted(ETag),
      }));
      return { objects, ...(page.NextContinuationToken === undefined ? {} : { next: page.NextContinuationToken }) };
    });
  }

  signed(method: "GET" | "PUT", name: string, ttlSeconds: number): Promise<string> {
    return this.#call("sign a URL", async ({ client, sdk }) => {
      const { getSignedUrl } = await import("@aws-sdk/s3-request-presigner");
      const command =
        method === "PUT" ? new sdk.PutObjectCommand(this.#target(name)) : new sdk.GetObjectCommand(this.#target(name));
      return getSignedUrl(client, command, { expiresIn: ttlSeconds });
    });
  }

  #target(name: string, version?: string): Pick<GetObjectCommandInput, "Bucket" | "Key" | "VersionId"> {
    const { bucket, keyPrefix } = this.#config;
    return { Bucket: bucket, Key: keyPrefix + name, ...(version === undefined ? {} : { VersionId: version }) };
  }

  #stored(
    name: string,
    answer: { ETag?: string; VersionId?: string },
    object: { size: number; contentType: string | undefined },
  ): StoredObject {
    const { ETag, VersionId } = answer;
    return {
      name,
      ...(this.#versioned && VersionId !== undefined ? { version: VersionId } : {}),
      size: object.size,
      contentType: object.contentType ?? CONTENT_TYPE_DEFAULT,
      etag: unquoted(ETag),
    };
  }

  async #call<T>(doing: string, work: (connection: S3Connection) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#servers.connect(this.#config.server));
    } catch (error) {
      throw s3Problem(error, `${doing} in the bucket ${this.#config.bucket}`);
    }
  }
}

/** The key prefix is not part of a public URL: `public_base_url` leads to it. */
export function s3Bucket(
  servers: S3Servers,
  { versioned, public: isPublic }: BucketModel,
  config: S3BucketConfig,
): BucketParts {
  const store = new S3Store(servers, config, versioned);
  const base = isPublic ? config.publicBaseUrl?.replace(/\/$/, "") : undefined;
  const urls: BucketUrls = {
    public: (name) => (base === undefined ? null : `${base}/${objectPath(name)}`),
    signed: (method, name, ttlSeconds) => store.signed(method, name, ttlSeconds),
  };
  return { store, urls, versioned };
}
