// Connections to S3 servers. The SDK costs about 30 MB of memory and half a second: it is loaded by the first
// operation on a bucket that is there, and never by an app without one.
import { isIP } from "node:net";
import type { S3Client } from "@aws-sdk/client-s3";
import type { S3Server } from "../config";

type Sdk = typeof import("@aws-sdk/client-s3");

export interface S3Connection {
  sdk: Sdk;
  client: S3Client;
}

const CONNECT_LIMIT_MS = 5_000;
const IDLE_LIMIT_MS = 60_000;

/**
 * Whether the bucket's name goes into the path instead of the host name. As in Encore it does for addresses; here also
 * for hosts without a dot (`localhost`, a container's name), below which there is no other name anyway.
 */
export function usesPathStyle({ endpoint, forcePathStyle }: S3Server): boolean {
  if (forcePathStyle !== undefined) return forcePathStyle;
  if (endpoint === undefined) return false;
  const host = new URL(endpoint).hostname.replace(/^\[|\]$/g, "");
  return isIP(host) !== 0 || !host.includes(".");
}

function createClient(sdk: Sdk, server: S3Server): S3Client {
  const { region, endpoint, accessKeyId, secretAccessKey } = server;
  return new sdk.S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    // Without keys: those of the environment, the machine or the container, as the SDK finds them.
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
    forcePathStyle: usesPathStyle(server),
    // Bodies are signed by their SHA-256 anyway. The newer checksums are refused by some servers, and in a signed
    // upload URL they would be those of no bytes.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: CONNECT_LIMIT_MS, socketTimeout: IDLE_LIMIT_MS },
  });
}

export class S3Servers {
  readonly #connections = new Map<string, Promise<S3Connection>>();

  /** The same connection for the same server and keys. */
  connect(server: S3Server): Promise<S3Connection> {
    const key = JSON.stringify(server);
    const known = this.#connections.get(key);
    if (known) return known;
    const connection = import("@aws-sdk/client-s3").then((sdk) => ({ sdk, client: createClient(sdk, server) }));
    this.#connections.set(key, connection);
    return connection;
  }

  async close(): Promise<void> {
    const opened = await Promise.allSettled(this.#connections.values());
    this.#connections.clear();
    for (const one of opened) if (one.status === "fulfilled") one.value.client.destroy();
  }
}
