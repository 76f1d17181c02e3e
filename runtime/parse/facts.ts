// The facts of an AppModel in the form of the parity kit's model.json: what Encore's own metadata says about the same
// app, reduced. 64-bit numbers are text, what is empty is left out.
import type { AppModel, EndpointModel, Schema, ServiceModel, SubscriptionModel } from "../model";
import { pathFacts, typeText } from "./facts-text";

type Json = string | number | boolean | null | undefined | Json[] | { [key: string]: Json };

/** Without undefined, empty lists and empty texts. */
function clean(value: Json): Json {
  if (Array.isArray(value)) return value.map(clean);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).flatMap(([key, inner]): [string, Json][] => {
    const cleaned = clean(inner);
    const empty = cleaned === undefined || cleaned === "" || (Array.isArray(cleaned) && !cleaned.length);
    return empty ? [] : [[key, cleaned]];
  });
  return Object.fromEntries(kept);
}

const sorted = <T>(list: readonly T[], key: (item: T) => string): T[] =>
  [...list].sort((a, b) => (key(a) < key(b) ? -1 : 1));

function accessOf({ expose, auth }: EndpointModel): string {
  if (!expose) return "PRIVATE";
  return auth ? "AUTH" : "PUBLIC";
}

const STREAMS: Partial<Record<EndpointModel["protocol"], string>> = {
  streamIn: "in",
  streamOut: "out",
  streamInOut: "inout",
};

function endpointFacts(endpoint: EndpointModel, text: (schema: Schema | null | undefined) => string | null): Json {
  const { name, doc, expose, protocol, methods, path, tags, sensitive, bodyLimit, request, response, handshake } =
    endpoint;
  const assets = endpoint.static;
  return {
    name,
    doc,
    access: accessOf(endpoint),
    exposed: expose ? ["api-gateway"] : [],
    protocol: protocol === "raw" ? "RAW" : "REGULAR",
    methods,
    path: pathFacts(path),
    tags,
    sensitive: sensitive || undefined,
    bodyLimit: bodyLimit === null ? null : String(bodyLimit),
    streams: STREAMS[protocol],
    request: text(request),
    response: text(response),
    handshake: handshake ? text(handshake) : undefined,
    static: assets && {
      dir: assets.dir,
      notFound: assets.notFound,
      notFoundStatus: assets.notFoundStatus,
      headers: assets.headers ?? {},
    },
  };
}

function serviceFacts(service: ServiceModel, text: (schema: Schema | null | undefined) => string | null): Json {
  const { name, folder, databases, metrics, buckets, endpoints } = service;
  return {
    name,
    folder,
    databases,
    metrics,
    buckets: buckets.map((bucket) => ({ ...bucket })),
    endpoints: sorted(endpoints, (e) => e.name).map((e) => endpointFacts(e, text)),
  };
}

function subscriptionFacts({
  name,
  service,
  ackDeadlineNs,
  retentionNs,
  retry,
  maxConcurrency,
}: SubscriptionModel): Json {
  const policy = {
    min_backoff: String(retry.minBackoffNs),
    max_backoff: String(retry.maxBackoffNs),
    max_retries: String(retry.maxRetries),
  };
  return {
    name,
    service,
    ackDeadlineNs: String(ackDeadlineNs),
    retentionNs: String(retentionNs),
    retry: policy,
    maxConcurrency: maxConcurrency ?? undefined,
  };
}

function cacheFacts(
  { name, evictionPolicy, keyspaces, users = [] }: AppModel["caches"][number],
  text: (schema: Schema | null) => string | null,
): Json {
  const own = keyspaces.map((k): Json => ({
    service: k.service,
    key: text(k.key),
    value: text(k.value),
    pattern: k.pattern,
  }));
  const others = users.filter((user) => !keyspaces.some((k) => k.service === user));
  return {
    name,
    evictionPolicy,
    keyspaces: [...own, ...others.map((service): Json => ({ service, key: null, value: null, pattern: "/" }))],
  };
}

function topicFacts(topic: AppModel["topics"][number], text: (schema: Schema | null) => string | null): Json {
  return {
    name: topic.name,
    message: text(topic.message),
    guarantee: topic.guarantee.toUpperCase().replaceAll("-", "_"),
    orderingKey: topic.orderingAttribute,
    publishers: topic.publishers,
    subscriptions: sorted(topic.subscriptions, (s) => s.name).map(subscriptionFacts),
  };
}

export function factsOf(model: AppModel): Json {
  const text = (schema: Schema | null | undefined): string | null => (schema ? typeText(schema, model.decls) : null);
  const folderOf = (name: string): string => model.services.find((service) => service.name === name)?.folder ?? "";
  const { authHandler } = model;
  return clean({
    services: sorted(model.services, (s) => s.name).map((service) => serviceFacts(service, text)),
    authHandler: authHandler && {
      name: authHandler.name,
      service: authHandler.service,
      params: text(authHandler.params),
      data: text(authHandler.data),
    },
    gateways: model.gateways.map((g): Json => ({
      name: g.name,
      explicit: g.explicit,
      service: g.service,
      authHandler: g.authHandler?.name,
    })),
    topics: sorted(model.topics, (t) => t.name).map((t) => topicFacts(t, text)),
    crons: model.crons.map((c): Json => ({
      id: c.id,
      title: c.title,
      schedule: c.schedule,
      endpoint: `${folderOf(c.endpoint.service)}.${c.endpoint.name}`,
    })),
    databases: sorted(model.databases, (d) => d.name).map((d): Json => ({
      name: d.name,
      doc: d.doc,
      folder: d.migrationsDir,
      nonSequential: d.nonSequential || undefined,
      migrations: d.migrations.map((m) => `${m.number} ${m.file} (${m.description})`),
    })),
    buckets: sorted(model.buckets, (b) => b.name).map((b): Json => ({
      name: b.name,
      versioned: b.versioned,
      public: b.public,
    })),
    caches: sorted(model.caches, (c) => c.name).map((c) => cacheFacts(c, text)),
    metrics: sorted(model.metrics, (m) => m.name).map((m): Json => ({
      name: m.name,
      kind: m.kind.toUpperCase(),
      value: m.valueType,
      labels: m.labels.map((l) => `${l.key}:${l.type}`),
    })),
    packages: sorted(
      model.packages.filter((p) => p.secrets.length + p.calls.length > 0),
      (p) => p.folder,
    ).map((p): Json => ({
      folder: p.folder,
      service: p.service,
      secrets: p.secrets,
      calls: p.calls.map((call) => `${folderOf(call.service)}.${call.endpoint}`),
    })),
  });
}
