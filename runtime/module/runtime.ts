// The Runtime class of the native module (contract 13.2): reads the host's files, makes one of every
// primitive and passes each call on. It decides only the order in which parts start and drain.
import { createBuckets } from "../objects";
import { createCaches } from "../cache";
import { createCrons, type CallEndpoint } from "../cron";
import { createDatabases } from "../sql";
import { createHttp, type HttpPart } from "../http";
import { createLogger } from "../log";
import { createMetrics } from "../metrics";
import { createExporter } from "../metrics/exporter";
import { RequestCounts, systemSamples } from "../metrics/requests";
import { createPubSub } from "../pubsub";
import { createSecrets } from "../secrets";
import { appMeta } from "../meta";
import type { Host, Part } from "../host";
import { loadHostFiles } from "./load-host";
import { ApiCallError } from "../native/api-call";
import { Gateway } from "../http/gateway";
import { adaptRawObjects } from "../http/raw-objects";
import { drainAll, runUntilSignal } from "./lifecycle";
import {
  cacheOfMain,
  handledInThread,
  joinThreads,
  lostThread,
  MessageHandlers,
  shareCache,
  threadsPart,
  type SubscriptionConfig,
} from "./thread-parts";
import { surviveRawHandlers } from "./uncaught";
import { realmCount, threadRole, type ThreadMember } from "../threads";
import type { ApiRoute, CallOpts } from "../native/types";
import { offerDirectCalls } from "../native/direct-call";
import type { Request } from "../native/request";

export interface RuntimeOptions {
  testMode?: boolean;
  /** Absent before encore.dev 1.50, which had no decimals. */
  typeConstructors?: { decimal: (text: string) => unknown };
}

/** A cron's endpoint is called from inside, so that a private one works too. */
function callEndpoint(http: HttpPart): CallEndpoint {
  return async (service, endpoint) => {
    const answer = await http.apiCall(service, endpoint, undefined, null, undefined);
    if (answer instanceof ApiCallError) throw new Error(`${answer.code}: ${answer.message}`);
  };
}

function createParts(options: RuntimeOptions) {
  const testMode = options.testMode ?? false;
  const { config, model } = loadHostFiles(testMode);
  const role = threadRole(testMode ? 1 : config.workerThreads);
  offerDirectCalls();
  const { logger, hostLog } = createLogger(config);
  const host: Host = { config, model, testMode, log: hostLog, newDecimal: options.typeConstructors?.decimal ?? String };
  const requests = new RequestCounts();
  host.countRequest = (service, endpoint, code) => requests.count(service, endpoint, code);
  const metrics = createMetrics(host);
  const exporter =
    role.kind === "worker"
      ? null
      : createExporter(host, () => [...requests.samples(), ...systemSamples(), ...metrics.samples()]);
  const databases = createDatabases(host);
  const pubsub = createPubSub(host);
  const caches = createCaches(host, role.kind === "worker" ? cacheOfMain(role.member) : undefined);
  const buckets = createBuckets(host);
  const http = createHttp(host, role);
  const crons = createCrons(host, callEndpoint(http));
  // Drained in reverse: the metrics go last, when all that they count has happened.
  const stores: Part[] = [...(exporter ? [exporter] : []), databases, caches, buckets];
  if (role.kind === "main") shareCache(role.pool, () => caches.store());
  return {
    host,
    role,
    stores,
    logger,
    databases,
    pubsub,
    caches,
    buckets,
    http,
    crons,
    secrets: createSecrets(host),
    metrics,
  };
}

type Parts = ReturnType<typeof createParts>;

/** Outside tests one runtime serves the whole process, however often the SDK constructs it. */
let shared: Parts | undefined;

export class Runtime {
  readonly #parts: Parts;
  /** In a worker thread: the handlers of its subscriptions. */
  readonly #messages: MessageHandlers | undefined;

  constructor(options: RuntimeOptions) {
    if (options.testMode) {
      this.#parts = createParts(options);
      void this.#startForTests();
    } else {
      this.#parts = shared ??= createParts(options);
    }
    const { host, role } = this.#parts;
    if (role.kind === "worker") this.#messages = new MessageHandlers(host, role.member);
  }

  static version(): string {
    return "v1.58.6";
  }

  static buildCommit(): string {
    return "";
  }

  /** In test mode only the API server serves, and it does so at once (V-4). */
  async #startForTests(): Promise<void> {
    const { databases, http, pubsub, host } = this.#parts;
    try {
      await adaptRawObjects(host.config.appRoot);
      await databases.start();
      await http.start();
      await pubsub.start();
    } catch (error) {
      host.log.error("the runtime could not start for this test file", error);
    }
  }

  async runForever(): Promise<number> {
    const { host, role, stores, http, pubsub, crons } = this.#parts;
    await adaptRawObjects(host.config.appRoot);
    surviveRawHandlers(host.log);
    const work = [...stores, http, pubsub, crons];
    if (role.kind !== "main") return runUntilSignal(host, work, http);
    return runUntilSignal(host, [threadsPart(role.pool), ...work], http, lostThread(role.pool, host.log));
  }

  /** A worker thread takes work once its handlers are known. */
  async #join(member: ThreadMember): Promise<void> {
    const { host, stores, http } = this.#parts;
    await adaptRawObjects(host.config.appRoot);
    surviveRawHandlers(host.log);
    await joinThreads(member, stores, () => drainAll(host, [...stores, http]));
  }

  registerHandler(route: ApiRoute): void {
    this.#parts.http.registerHandler(route);
  }

  registerTestHandler(route: ApiRoute): void {
    this.#parts.http.registerHandler(route);
  }

  registerHandlers(routes: ApiRoute[]): void {
    const { http, role } = this.#parts;
    for (const route of routes) http.registerHandler(route);
    if (role.kind === "worker") void this.#join(role.member);
  }

  gateway(name: string, config: { auth?: (...args: unknown[]) => unknown }): Gateway {
    this.#parts.http.setGatewayAuth(name, config.auth);
    return new Gateway();
  }

  apiCall(
    service: string,
    endpoint: string,
    payload?: unknown,
    source?: Request | null,
    opts?: CallOpts | null,
  ): Promise<unknown> {
    return this.#parts.http.apiCall(service, endpoint, payload, source ?? null, opts ?? undefined);
  }

  stream(
    service: string,
    endpoint: string,
    payload?: unknown,
    source?: Request | null,
    opts?: CallOpts | null,
  ): Promise<unknown> {
    return this.#parts.http.stream(service, endpoint, payload, source ?? null, opts ?? undefined);
  }

  sqlDatabase(name: string): unknown {
    return this.#parts.databases.database(name);
  }

  pubsubTopic(name: string): unknown {
    return this.#parts.pubsub.topic(name);
  }

  pubsubSubscription(config: SubscriptionConfig): unknown {
    const { pubsub, role } = this.#parts;
    this.#messages?.register(config);
    return pubsub.subscription(role.kind === "main" ? handledInThread(config, role.pool) : config);
  }

  bucket(name: string): unknown {
    return this.#parts.buckets.bucket(name);
  }

  cacheCluster(name: string): unknown {
    return this.#parts.caches.cluster(name);
  }

  secret(name: string): unknown {
    return this.#parts.secrets.secret(name);
  }

  logger(): unknown {
    return this.#parts.logger;
  }

  appMeta(): unknown {
    return appMeta(this.#parts.host);
  }

  runtimeConfig(): unknown {
    return this.#parts.metrics.runtimeConfig();
  }

  numWorkerThreads(): number {
    return realmCount(this.#parts.host.config.workerThreads);
  }

  createMetricsRegistry(buffer: object): void {
    this.#parts.metrics.createRegistry(buffer);
  }

  getMetricsRegistry(): unknown {
    return this.#parts.metrics.registry();
  }
}
