// What an app declares, as found in its sources and before it becomes the AppModel. One interface per kind.
import type { SourceModule } from "../source/modules";
import type { Declared } from "../source/scope";
import type { TypeScript } from "../typescript";
import type { NamedType, Type } from "../types/type";
import type { Spot } from "../errors";
import type { EndpointModel, StaticAssets } from "../../model";
import type { PathPart } from "./path";

type Node = TypeScript.Node;

/** A type and where it is written. */
export interface TypeAt {
  type: Type;
  node: TypeScript.TypeNode;
}

interface Base {
  /** The call or `new` that declares it. */
  node: TypeScript.Expression;
  module: SourceModule;
  doc?: string | undefined;
}

export interface ServiceResource extends Base {
  kind: "service";
  name: string;
}

export interface Param {
  name: string;
  in: "path" | "header" | "query" | "body" | "cookie" | "httpStatus";
  type: Type;
  spot: Spot | undefined;
}

export interface EndpointResource
  extends Base, Pick<EndpointModel, "protocol" | "expose" | "auth" | "methods" | "tags" | "sensitive" | "bodyLimit"> {
  kind: "endpoint";
  name: string;
  nameNode: TypeScript.Identifier;
  serviceName: string;
  path: PathPart[];
  request?: TypeAt | undefined;
  response?: TypeAt | undefined;
  handshake?: TypeAt | undefined;
  requestParams: Param[];
  responseParams: Param[];
  handshakeParams: Param[];
  assets?: StaticAssets | undefined;
}

export interface AuthHandlerResource extends Base {
  kind: "authHandler";
  name: string;
  serviceName: string;
  params: TypeAt;
  data: TypeAt;
}

export interface GatewayResource extends Base {
  kind: "gateway";
  authHandler: NamedType | undefined;
}

export interface TopicResource extends Base {
  kind: "topic";
  name: string;
  message: TypeAt;
  guarantee: "at-least-once" | "exactly-once";
  orderingAttribute: string | undefined;
}

export interface SubscriptionResource extends Base {
  kind: "subscription";
  name: string;
  topic: NamedType;
  topicNode: Node;
  maxConcurrency: number | null;
  ackDeadlineNs: number;
  retentionNs: number;
  retry: { minBackoffNs: number; maxBackoffNs: number; maxRetries: number };
}

export interface CronResource extends Base {
  kind: "cron";
  name: string;
  title: string | undefined;
  endpoint: NamedType;
  endpointNode: Node;
  schedule: string;
}

export interface Migrations {
  dir: string;
  nonSequential: boolean;
  files: { number: number; file: string; description: string }[];
}

export interface DatabaseResource extends Base {
  kind: "database";
  name: string;
  migrations: Migrations | undefined;
}

export interface BucketResource extends Base {
  kind: "bucket";
  name: string;
  versioned: boolean;
  public: boolean;
}

export interface ClusterResource extends Base {
  kind: "cluster";
  name: string;
  evictionPolicy: string;
}

export interface KeyspaceResource extends Base {
  kind: "keyspace";
  cluster: NamedType;
  key: TypeAt;
  value: Type | undefined;
  pattern: string;
}

export interface MetricResource extends Base {
  kind: "metric";
  name: string;
  metric: "counter" | "gauge";
  labels: TypeAt | undefined;
}

export interface SecretResource extends Base {
  kind: "secret";
  name: string;
}

/** What `~encore/clients` exports for a service. */
export interface ClientResource {
  kind: "client";
  service: string;
}

export type Resource =
  | ServiceResource
  | EndpointResource
  | AuthHandlerResource
  | GatewayResource
  | TopicResource
  | SubscriptionResource
  | CronResource
  | DatabaseResource
  | BucketResource
  | ClusterResource
  | KeyspaceResource
  | MetricResource
  | SecretResource
  | ClientResource;

export type ResourceKind = Resource["kind"];

/** A name in a module by which a resource is known there. */
export interface Bind {
  resource: Resource;
  module: SourceModule;
  /** Absent for generated service clients. */
  node?: TypeScript.Expression;
  name?: string | undefined;
  id?: TypeScript.Identifier | undefined;
  /** The declaration that other code reaches it by. */
  declared?: Declared | undefined;
  /** By `X.named("…")` rather than by `new X("…")`. */
  reference: boolean;
}

/** A bind by name, resolved when every file was read. */
export type PendingBind = Omit<Bind, "resource"> & {
  resource: Resource | { kind: "by name"; of: "database" | "bucket" | "cluster"; name: string };
};
