// The AppModel: everything the host knows about an app. parse/ makes it, generate/ and the native
// module read it. It is plain JSON, so it travels between processes in a file. Field names follow
// Encore's own metadata (CONTRACT.md, sections 1 and 2) where there is one.

/** A place in the app's sources; `line` and `column` count from 1, `file` is relative to the app root. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

export type ValidationRule =
  | { rule: "minLen" | "maxLen" | "minValue" | "maxValue"; value: number }
  | { rule: "startsWith" | "endsWith" | "matchesRegexp"; value: string }
  | { rule: "is"; value: "email" | "url" };

export type Validation = ValidationRule | { op: "and" | "or"; of: Validation[] };

/** Scalars, named as Encore's metadata names them (L-50). */
export type BuiltinName = "string" | "float64" | "bool" | "decimal" | "time" | "any" | "int" | "user_id" | "json";

/** Where a field travels when it is not simply part of the body (H-30). */
export type Wire =
  | { in: "header"; name?: string }
  | { in: "query"; name?: string }
  | { in: "cookie"; name?: string }
  | { in: "httpStatus" };

export interface Field {
  name: string;
  doc?: string;
  type: Schema;
  optional: boolean;
  wire?: Wire;
  /** `key:name` pairs of the official metadata, `pubsub-attr` among them. */
  tags?: { key: string; name: string }[];
}

/** A type as the wire sees it. `named` points into `AppModel.decls`, which is what lets types recurse. */
export type Schema = (
  | { kind: "builtin"; name: BuiltinName }
  | { kind: "literal"; value: string | number | boolean | null }
  | { kind: "struct"; fields: Field[] }
  | { kind: "map"; key: Schema; value: Schema }
  | { kind: "list"; elem: Schema }
  | { kind: "union"; types: Schema[] }
  | { kind: "option"; value: Schema }
  | { kind: "named"; id: string; args?: Schema[] }
  | { kind: "typeParameter"; index: number }
) & { validation?: Validation };

/** A named type. `type` may hold `typeParameter`s, filled from the `args` of the reference. */
export interface Decl {
  id: string;
  name: string;
  doc?: string;
  place: Place;
  type: Schema;
}

export type PathSegment =
  | { kind: "literal"; value: string }
  | {
      kind: "param" | "wildcard" | "fallback";
      value: string;
      type: "string" | "bool" | "int" | "float64" | "decimal";
      validation?: Validation;
    };

export interface StaticAssets {
  dir: string;
  notFound?: string;
  notFoundStatus?: number;
  headers?: Record<string, string[]>;
}

export interface EndpointModel {
  service: string;
  name: string;
  doc?: string;
  /** Where the value is exported: the generated entry point imports `exportName` from `place.file`. */
  place: Place;
  exportName: string;
  protocol: "regular" | "raw" | "static" | "streamIn" | "streamOut" | "streamInOut";
  expose: boolean;
  auth: boolean;
  methods: string[];
  path: PathSegment[];
  /** Bytes; null = no limit. */
  bodyLimit: number | null;
  sensitive: boolean;
  tags: string[];
  request: Schema | null;
  response: Schema | null;
  /** Streams only: the schema of the upgrade request. */
  handshake?: Schema | null;
  static?: StaticAssets;
}

export interface ServiceModel {
  name: string;
  folder: string;
  /** encore.service.ts, absent for implicit services (L-8). */
  file?: string;
  endpoints: EndpointModel[];
  databases: string[];
  buckets: { name: string; operations: string[] }[];
  metrics: string[];
}

export interface AuthHandlerModel {
  service: string;
  name: string;
  place: Place;
  exportName: string;
  params: Schema;
  data: Schema;
}

export interface GatewayModel {
  name: string;
  explicit: boolean;
  service?: string;
  place?: Place;
  exportName?: string;
  authHandler?: AuthHandlerModel;
}

export interface SubscriptionModel {
  name: string;
  service: string;
  place: Place;
  maxConcurrency: number | null;
  ackDeadlineNs: number;
  retentionNs: number;
  retry: { minBackoffNs: number; maxBackoffNs: number; maxRetries: number };
}

export interface TopicModel {
  name: string;
  doc?: string;
  message: Schema;
  guarantee: "at-least-once" | "exactly-once";
  orderingAttribute?: string;
  publishers: string[];
  subscriptions: SubscriptionModel[];
}

export interface CronModel {
  id: string;
  title: string;
  /** `every:<minutes>` or `schedule:<five cron fields>`, as the official metadata writes it. */
  schedule: string;
  endpoint: { service: string; name: string };
}

export interface DatabaseModel {
  name: string;
  doc?: string;
  /** Folder of migrations relative to the app root; absent when there are none. */
  migrationsDir?: string;
  nonSequential: boolean;
  migrations: { number: number; file: string; description: string }[];
}

export interface BucketModel {
  name: string;
  versioned: boolean;
  public: boolean;
}

export interface CacheModel {
  name: string;
  evictionPolicy: string;
  keyspaces: { service: string; key: Schema | null; value: Schema | null; pattern: string }[];
  /** Services that hand the cluster to a constructor. */
  users?: string[];
}

export interface MetricModel {
  name: string;
  kind: "counter" | "gauge";
  valueType: string;
  services: string[];
  labels: { key: string; type: string }[];
  place: Place;
  exportName?: string;
}

/** Secrets and calls of one folder of the app. */
export interface PackageModel {
  folder: string;
  service: string;
  secrets: string[];
  calls: { service: string; endpoint: string }[];
}

/** The parts of encore.app that the host obeys (L-1). */
export interface AppFile {
  id: string;
  globalCors?: {
    debug?: boolean;
    allowHeaders?: string[];
    exposeHeaders?: string[];
    allowOriginsWithoutCredentials?: string[];
    allowOriginsWithCredentials?: string[];
  };
  build?: { workerPooling?: boolean };
  logLevel?: string;
}

export interface AppModel {
  formatVersion: 1;
  app: AppFile;
  services: ServiceModel[];
  authHandler?: AuthHandlerModel;
  gateways: GatewayModel[];
  topics: TopicModel[];
  crons: CronModel[];
  databases: DatabaseModel[];
  buckets: BucketModel[];
  caches: CacheModel[];
  metrics: MetricModel[];
  packages: PackageModel[];
  decls: Record<string, Decl>;
}
