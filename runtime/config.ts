// What one app process needs to know besides the AppModel. The commands write it, the native module
// reads it; it is plain JSON and travels in the environment (`GROUNDWORK_HOST_CONFIG`).
import type { AppFile } from "./model";

/** An S3 server and who one is there. Without keys they are found as the AWS SDK does. */
export interface S3Server {
  region: string;
  /** Absent: Amazon's own for the region. */
  endpoint?: string;
  accessKeyId?: string;
  secretAccessKey?: string;
  /** Whether a bucket's name stands in the path of its URLs; absent = decided by the endpoint. */
  forcePathStyle?: boolean;
}

export interface S3BucketConfig {
  server: S3Server;
  /** The name on the server. */
  bucket: string;
  /** Before each object's name; may be empty. */
  keyPrefix: string;
  /** Where the objects of a public bucket are read. */
  publicBaseUrl?: string;
}

/** A secret that processes of one app share, to sign the calls between them (12.3: `auth`). */
export interface ServiceKey {
  id: number;
  key: string;
}

export interface HostConfig {
  appRoot: string;
  /** Folder of the embedded parts' state, absolute. */
  stateDir: string;
  /** File with the AppModel as JSON, absolute. */
  modelFile: string;
  environment: {
    name: string;
    type: "production" | "development" | "ephemeral" | "test";
    cloud: "aws" | "gcp" | "azure" | "encore" | "local";
  };
  appId: string;
  apiBaseUrl: string;
  deployId: string;
  build: { revision: string; uncommittedChanges: boolean };
  /** Absent in test mode: there the API server listens on a random loopback port. */
  listen?: { host: string; port: number };
  /** Encore database name → where it is. */
  databases: Record<
    string,
    {
      url: string;
      /** Of the login that migrates, where it is another than the app's. */
      ownerUrl?: string;
      maxConnections?: number;
      minConnections?: number;
    }
  >;
  /** The host's own, where an app with topics has no database. */
  hostDatabase?: { url: string };
  /** When set: topics, cache and cron leases live there; otherwise in the first database, the host's own or in process. */
  redisUrl?: string;
  /** Secrets by name; a name that is absent is "not configured". */
  secrets: Record<string, string>;
  /** Folder of the buckets' files (X-32). */
  objectsDir: string;
  /** Where each bucket is on S3, by Encore's names; absent = all are folders in `objectsDir`. */
  objectStorage?: Record<string, S3BucketConfig>;
  /** Where metrics are sent, and how often (12.3: `metrics`); absent = nowhere. */
  metricsExport?: { type: "prometheus"; remoteWriteUrl: string; intervalMs: number };
  /** Absent = everything the model has. */
  hostedServices?: string[];
  hostsGateway: boolean;
  /** Services of other processes: where they are, and the key that calls to them are signed with. */
  peers?: Record<string, { baseUrl: string; key: ServiceKey }>;
  /** Keys by which calls from other processes are believed; without any none is. */
  serviceKeys?: ServiceKey[];
  /** Threads that run handlers: 1 = the main one, more = so many beside it. */
  workerThreads: number;
  /** Headers added to every answer that does not carry them: the edge of a host without a proxy in front. */
  edgeHeaders: Record<string, string>;
  /** `internal_message` in error bodies (H-100). */
  includeInternalMessage: boolean;
  logFormat: "json" | "console";
  /** Lowest level of the app's own lines, when ENCORE_LOG does not say. */
  logLevel?: string;
  /** Takes the place of encore.app's global_cors. */
  cors?: NonNullable<AppFile["globalCors"]>;
  gracefulShutdownMs: number;
}
