// Resources → AppModel. What cannot become part of it (a type without a schema, a reference that leads nowhere) is
// reported at its place; the others go on, so that one run shows all of it.
import type {
  AppFile,
  AppModel,
  AuthHandlerModel,
  EndpointModel,
  GatewayModel,
  Schema,
  ServiceModel,
  SubscriptionModel,
  TopicModel,
} from "../../model";
import { Refusal } from "../errors";
import { spotOf, type SourceModule } from "../source/modules";
import type { TypeScript } from "../typescript";
import type {
  AuthHandlerResource,
  Bind,
  CronResource,
  EndpointResource,
  GatewayResource,
  KeyspaceResource,
  MetricResource,
  Resource,
  SubscriptionResource,
  TopicResource,
  TypeAt,
} from "../resources/resource";
import { keyPattern } from "./key-pattern";
import { metricLabels } from "./metric-labels";
import type { Reading } from "./read-app";
import { Schemas } from "./schemas";
import { serviceAt, type DiscoveredService } from "./services";

type Of<K extends Resource["kind"]> = Extract<Resource, { kind: K }>;

export class ModelBuilder {
  readonly schemas: Schemas;
  readonly model: AppModel;
  readonly #endpoints = new Map<unknown, EndpointResource>();
  readonly #topics = new Map<unknown, TopicModel>();
  readonly #authHandlers = new Map<unknown, AuthHandlerResource>();

  constructor(
    readonly reading: Reading,
    readonly services: DiscoveredService[],
    readonly binds: Bind[],
    app: AppFile,
  ) {
    this.schemas = new Schemas(reading.evaluator, reading.diagnostics);
    this.model = {
      formatVersion: 1,
      app,
      services: services.map((service) => this.#service(service)),
      gateways: [],
      topics: [],
      crons: [],
      databases: [],
      buckets: [],
      caches: [],
      metrics: [],
      packages: services.map((s) => ({ folder: this.relative(s.folder), service: s.name, secrets: [], calls: [] })),
      decls: {},
    };
  }

  relative(path: string): string {
    return path === this.reading.root ? "" : path.slice(this.reading.root.length + 1);
  }

  service(name: string): ServiceModel | undefined {
    return this.model.services.find((service) => service.name === name);
  }

  serviceOf(module: SourceModule): DiscoveredService | undefined {
    return serviceAt(module.path, this.services);
  }

  /** Fills in everything that is declared. Uses come later, by the uses part. */
  declarations(): AppModel {
    const before = this.reading.diagnostics.count;
    this.#each("endpoint", (endpoint, bind) => this.#endpoint(endpoint, bind));
    this.#each("authHandler", (handler, bind) => void this.#authHandlers.set(bind.declared, handler));
    this.#storage();
    this.#each("topic", (topic, bind) => this.#topic(topic, bind));
    this.#each("secret", (secret) => this.#secret(secret));
    this.#each("metric", (metric, bind) => this.#metric(metric, bind));
    // References into what failed above would only repeat it.
    if (this.reading.diagnostics.count === before) this.#references();
    if (!this.model.gateways.length) this.model.gateways.push({ name: "api-gateway", explicit: false });
    this.model.decls = this.schemas.decls;
    return this.model;
  }

  #references(): void {
    this.#each("subscription", (subscription) => this.#subscription(subscription));
    this.#each("cron", (cron) => this.#cron(cron));
    this.#each("gateway", (gateway, bind) => this.#gateway(gateway, bind));
    this.#each("keyspace", (keyspace) => this.#keyspace(keyspace));
  }

  #each<K extends Resource["kind"]>(kind: K, work: (resource: Of<K>, bind: Bind) => void): void {
    for (const bind of this.binds) {
      if (bind.reference || bind.resource.kind !== kind) continue;
      this.reading.diagnostics.attempt(() => work(bind.resource as Of<K>, bind));
    }
  }

  #place(node: TypeScript.Node): ReturnType<Reading["diagnostics"]["place"]> {
    return this.reading.diagnostics.place(spotOf(node));
  }

  #service({ name, folder, file }: DiscoveredService): ServiceModel {
    return {
      name,
      folder: this.relative(folder),
      ...(file !== undefined && { file: this.relative(file) }),
      endpoints: [],
      databases: [],
      buckets: [],
      metrics: [],
    };
  }

  #endpoint(endpoint: EndpointResource, bind: Bind): void {
    const { name, serviceName, node, request, response, handshake } = endpoint;
    const path = endpoint.path.map((part) => part.segment);
    const pathNames = new Set(path.flatMap((segment) => (segment.kind === "literal" ? [] : [segment.value])));
    const owner = `${serviceName}.${name}`;
    const handshakeSchema = handshake && this.schemas.request(handshake, pathNames, `${owner}.handshake`);
    const requestSchema = this.schemas.request(request, pathNames, owner);
    const responseSchema = response ? this.schemas.at(response) : null;
    const service = this.service(serviceName);
    if (!service)
      throw new Refusal(`missing service ${serviceName}`, spotOf(node), {
        remedy: "Give the outer folder an encore.service.ts.",
      });
    const { doc, protocol, expose, auth, methods, bodyLimit, sensitive, tags, assets } = endpoint;
    const model: EndpointModel = {
      service: serviceName,
      name,
      ...(doc !== undefined && { doc }),
      place: this.#place(node),
      exportName: bind.name ?? name,
      protocol,
      expose,
      auth,
      methods,
      path,
      bodyLimit,
      sensitive,
      tags,
      request: requestSchema,
      response: responseSchema,
      ...(protocol.startsWith("stream") && { handshake: handshakeSchema ?? null }),
      ...(assets && { static: assets }),
    };
    service.endpoints.push(model);
    if (bind.declared) this.#endpoints.set(bind.declared, endpoint);
  }

  #storage(): void {
    const { databases, buckets, caches } = this.model;
    this.#each("database", ({ name, doc, migrations }) => {
      const { dir, nonSequential = false, files = [] } = migrations ?? {};
      databases.push({
        name,
        ...(doc !== undefined && { doc }),
        ...(dir !== undefined && { migrationsDir: this.relative(dir) }),
        nonSequential,
        migrations: files,
      });
    });
    this.#each(
      "bucket",
      ({ name, versioned, public: isPublic }) => void buckets.push({ name, versioned, public: isPublic }),
    );
    this.#each("cluster", ({ name, evictionPolicy }) => void caches.push({ name, evictionPolicy, keyspaces: [] }));
  }

  #message(at: TypeAt): Schema {
    try {
      return this.schemas.at(at);
    } catch (error) {
      if (!(error instanceof Refusal) || error.extra.official !== undefined) throw error;
      throw new Refusal(error.message, spotOf(at.node), {
        ...error.extra,
        wording: `could not resolve message type: ${error.message}`,
      });
    }
  }

  #topic(topic: TopicResource, bind: Bind): void {
    const { name, doc, message, guarantee, orderingAttribute } = topic;
    const model: TopicModel = {
      name,
      ...(doc !== undefined && { doc }),
      message: this.#message(message),
      guarantee,
      ...(orderingAttribute !== undefined && { orderingAttribute }),
      publishers: [],
      subscriptions: [],
    };
    this.model.topics.push(model);
    if (bind.declared) this.#topics.set(bind.declared, model);
  }

  #secret({ name, node, module }: Of<"secret">): void {
    const service = this.serviceOf(module);
    const target = service && this.model.packages.find((candidate) => candidate.service === service.name);
    if (!target)
      throw new Refusal("secrets must be loaded from within services", spotOf(node), {
        remedy: "Move the declaration into a service's folder.",
      });
    if (!target.secrets.includes(name)) target.secrets.push(name);
    target.secrets.sort();
  }

  #metric(metric: MetricResource, bind: Bind): void {
    const { name, metric: kind, node } = metric;
    const labels = metricLabels(metric, this.reading);
    const valueType = kind === "counter" ? "INT64" : "FLOAT64";
    const place = this.#place(node);
    this.model.metrics.push({
      name,
      kind,
      valueType,
      services: [],
      labels,
      place,
      ...(bind.name !== undefined && { exportName: bind.name }),
    });
  }

  #subscription(subscription: SubscriptionResource): void {
    const { name, topic, topicNode, node, module, maxConcurrency, ackDeadlineNs, retentionNs, retry } = subscription;
    const target = this.#topics.get(topic.declared);
    if (!target)
      throw new Refusal("topic not found", spotOf(topicNode), {
        remedy: "The first argument has to be a variable that holds a `new Topic(…)`.",
      });
    const service = this.serviceOf(module);
    if (!service) throw new Refusal("unable to determine which service the subscription belongs to", spotOf(node));
    const model: SubscriptionModel = {
      name,
      service: service.name,
      place: this.#place(node),
      maxConcurrency,
      ackDeadlineNs,
      retentionNs,
      retry,
    };
    target.subscriptions.push(model);
  }

  #cron({ name, title, schedule, endpoint, endpointNode }: CronResource): void {
    const target = this.#endpoints.get(endpoint.declared);
    if (!target)
      throw new Refusal("endpoint not found", spotOf(endpointNode), {
        remedy: "`endpoint` has to be a variable that holds an `api(…)`.",
      });
    this.model.crons.push({
      id: name,
      title: title ?? name,
      schedule,
      endpoint: { service: target.serviceName, name: target.name },
    });
  }

  #authHandler(handler: AuthHandlerResource): AuthHandlerModel {
    const service = this.serviceOf(handler.module);
    if (!service) throw new Refusal("unable to determine service for auth handler", spotOf(handler.node));
    const params = this.schemas.at(handler.params);
    const data = this.schemas.at(handler.data);
    return {
      service: service.name,
      name: handler.name,
      place: this.#place(handler.node),
      exportName: handler.name,
      params,
      data,
    };
  }

  #gateway(gateway: GatewayResource, bind: Bind): void {
    const { node, module } = gateway;
    const handler = gateway.authHandler && this.#authHandlers.get(gateway.authHandler.declared);
    if (gateway.authHandler && !handler)
      throw new Refusal("auth handler not found", spotOf(node), {
        remedy: "`authHandler` has to be a variable that holds an `authHandler(…)`.",
      });
    const authHandler = handler && this.#authHandler(handler);
    const service = this.serviceOf(module);
    if (!service) throw new Refusal("unable to determine service for gateway", spotOf(node));
    if (this.model.gateways.length) throw new Refusal("multiple gateways not yet supported", spotOf(node));
    if (authHandler) this.model.authHandler = authHandler;
    const exportName = bind.name === undefined ? {} : { exportName: bind.name };
    const model: GatewayModel = {
      name: "api-gateway",
      explicit: true,
      service: service.name,
      place: this.#place(node),
      ...exportName,
      ...(authHandler && { authHandler }),
    };
    this.model.gateways.push(model);
  }

  /** By the variable the keyspace was made with; a cluster that is not found is left alone. */
  #clusterName(keyspace: KeyspaceResource): string | undefined {
    const bind = this.binds.findLast(
      (candidate) => candidate.resource.kind === "cluster" && candidate.declared === keyspace.cluster.declared,
    );
    return bind?.resource.kind === "cluster" ? bind.resource.name : undefined;
  }

  /** What a cache holds need not have a form on the wire. */
  #schemaIfAny(at: TypeAt): Schema | null {
    try {
      return this.schemas.at(at);
    } catch (error) {
      if (error instanceof Refusal) return null;
      throw error;
    }
  }

  #keyspace(keyspace: KeyspaceResource): void {
    const cluster = this.model.caches.find((candidate) => candidate.name === this.#clusterName(keyspace));
    if (!cluster) return;
    const key = this.#schemaIfAny(keyspace.key);
    const value = keyspace.value ? this.#schemaIfAny({ type: keyspace.value, node: keyspace.key.node }) : null;
    cluster.keyspaces.push({
      service: this.serviceOf(keyspace.module)?.name ?? "",
      key,
      value,
      pattern: keyPattern(keyspace.pattern),
    });
  }
}
