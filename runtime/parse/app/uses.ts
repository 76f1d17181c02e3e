// Who uses what (L-40): fills databases, buckets, metrics, publishers, calls and cache users into the model.
import type { AppModel, ServiceModel } from "../../model";
import { spotOf } from "../source/modules";
import { BUCKET_OPERATIONS, bucketOperations } from "../usage/buckets";
import type { Use } from "../usage/find";
import { checkSql, databaseUse } from "../usage/databases";
import { clientUse, metricUse, topicUse, type UseContext } from "../usage/rules";
import type { Reading } from "./read-app";
import { serviceAt, type DiscoveredService } from "./services";

/** What a use means, worked out while the sources are read. */
export type Access =
  | { kind: "publishes"; topic: string; use: Use }
  | { kind: "database" | "metric" | "cluster"; name: string; use: Use }
  | { kind: "bucket"; name: string; operations: string[]; use: Use }
  | { kind: "call"; service: string; endpoint: string; use: Use };

function accessOf(use: Use, ctx: UseContext): Access | undefined {
  const { resource, shape } = use;
  switch (resource.kind) {
    case "topic":
      return topicUse(use, resource, ctx) ? { kind: "publishes", topic: resource.name, use } : undefined;
    case "database":
      return databaseUse(use, ctx) ? { kind: "database", name: resource.name, use } : undefined;
    case "bucket": {
      const operations = bucketOperations(use, resource, ctx);
      return operations.length ? { kind: "bucket", name: resource.name, operations, use } : undefined;
    }
    case "metric":
      return metricUse(use, ctx) ? { kind: "metric", name: resource.name, use } : undefined;
    case "cluster":
      return shape.kind === "constructorArgument" ? { kind: "cluster", name: resource.name, use } : undefined;
    case "client": {
      const endpoint = clientUse(use, ctx);
      return endpoint === undefined ? undefined : { kind: "call", service: resource.service, endpoint, use };
    }
    default:
      return undefined;
  }
}

/** What the uses mean; reports the ones that are not allowed. */
export function accessesOf(uses: Use[], ctx: UseContext): Access[] {
  const accesses = uses.flatMap((use) => accessOf(use, ctx) ?? []);
  checkSql(uses, ctx);
  return accesses;
}

const WHAT = { publishes: "topic", bucket: "bucket", metric: "metric", cluster: "cache cluster" } as const;

const addOnce = <T>(list: T[], item: T): void => {
  if (!list.includes(item)) list.push(item);
};

function addBucket(service: ServiceModel, name: string, operations: string[]): void {
  let entry = service.buckets.find((candidate) => candidate.name === name);
  if (!entry) service.buckets.push((entry = { name, operations: [] }));
  const all = new Set([...entry.operations, ...operations]);
  entry.operations = BUCKET_OPERATIONS.filter((operation) => all.has(operation));
}

function addCall(model: AppModel, from: string, access: Extract<Access, { kind: "call" }>): void {
  const own = model.packages.find((candidate) => candidate.service === from);
  const known = own?.calls.some((call) => call.service === access.service && call.endpoint === access.endpoint);
  if (own && !known) own.calls.push({ service: access.service, endpoint: access.endpoint });
}

function addMetric(model: AppModel, service: ServiceModel, name: string): void {
  addOnce(service.metrics, name);
  const metric = model.metrics.find((candidate) => candidate.name === name);
  if (metric) addOnce(metric.services, service.name);
}

function addTo(model: AppModel, service: ServiceModel, access: Access): void {
  switch (access.kind) {
    case "publishes": {
      const topic = model.topics.find((candidate) => candidate.name === access.topic);
      if (topic) addOnce(topic.publishers, service.name);
      return;
    }
    case "database":
      return addOnce(service.databases, access.name);
    case "bucket":
      return addBucket(service, access.name, access.operations);
    case "metric":
      return addMetric(model, service, access.name);
    case "cluster": {
      const cluster = model.caches.find((candidate) => candidate.name === access.name);
      if (cluster) addOnce((cluster.users ??= []), service.name);
      return;
    }
    case "call":
      return addCall(model, service.name, access);
  }
}

function reportOutsider(access: Access, { diagnostics }: Reading): void {
  if (access.kind === "database") return;
  const remedy = "Use it in a file of a service, or give this folder an encore.service.ts.";
  const message =
    access.kind === "call"
      ? "unable to determine service for call"
      : `cannot determine which service is accessing this ${WHAT[access.kind]}`;
  diagnostics.report(message, spotOf(access.use.shape.node), { remedy });
}

export function addUses(model: AppModel, accesses: Access[], services: DiscoveredService[], reading: Reading): void {
  for (const access of accesses) {
    const discovered = serviceAt(access.use.module.path, services);
    const service = discovered && model.services.find((candidate) => candidate.name === discovered.name);
    if (service) addTo(model, service, access);
    else reportOutsider(access, reading);
  }
  for (const service of model.services) {
    service.databases.sort();
    service.buckets.sort((a, b) => (a.name < b.name ? -1 : 1));
    service.endpoints.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
