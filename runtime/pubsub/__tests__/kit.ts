// A host around topics, for tests: one topic `orders`, subscriptions as given, a real database.
import type { Host, HostLog } from "../../host";
import type { AppModel, DatabaseModel, Schema, SubscriptionModel } from "../../model";
import { defaultTimings, type BrokerTimings } from "../broker";
import { createPubSub, type PubSubPart } from "../index";

export const database: DatabaseModel = { name: "app", nonSequential: false, migrations: [] };

export const quiet: HostLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  prepareInfo: () => null,
};

export const impatient: BrokerTimings = {
  ...defaultTimings,
  lockMs: 1000,
  lostCheckMs: 300,
  pollAnnouncedMs: 500,
  pollSilentMs: 100,
  giveBackMs: 20,
  reconnectMs: 100,
};

const NS_PER_MS = 1_000_000;

export function subscription(
  name: string,
  over: { maxConcurrency?: number; maxRetries?: number; minBackoffMs?: number; maxBackoffMs?: number } = {},
): SubscriptionModel {
  return {
    name,
    service: "shop",
    place: { file: "shop/api.ts", line: 1, column: 1 },
    maxConcurrency: over.maxConcurrency ?? null,
    ackDeadlineNs: 0,
    retentionNs: 0,
    retry: {
      minBackoffNs: (over.minBackoffMs ?? 10) * NS_PER_MS,
      maxBackoffNs: (over.maxBackoffMs ?? 20) * NS_PER_MS,
      maxRetries: over.maxRetries ?? 2,
    },
  };
}

const builtin = (name: "string" | "float64" | "time"): Schema => ({ kind: "builtin", name });

const message: Schema = {
  kind: "struct",
  fields: [
    { name: "n", type: builtin("float64"), optional: false },
    { name: "customer", type: builtin("string"), optional: true, tags: [{ key: "pubsub-attr", name: "customer" }] },
    { name: "at", type: builtin("time"), optional: true },
  ],
};

export interface HostOptions {
  url?: string;
  redisUrl?: string;
  subscriptions: SubscriptionModel[];
  orderingAttribute?: string;
  log?: HostLog;
  /** Apps of other names share no queues on Redis. */
  appId?: string;
}

export function makeHost({
  url,
  redisUrl,
  subscriptions,
  orderingAttribute,
  log = quiet,
  appId = "test",
}: HostOptions): Host {
  const model = {
    services: [{ name: "shop" }],
    topics: [
      {
        name: "orders",
        message,
        guarantee: "at-least-once",
        publishers: [],
        subscriptions,
        ...(orderingAttribute ? { orderingAttribute } : {}),
      },
    ],
    decls: {},
  } as unknown as AppModel;
  const config = {
    databases: url ? { app: { url } } : {},
    appId,
    ...(redisUrl ? { redisUrl } : {}),
  } as unknown as Host["config"];
  return { model, config, testMode: true, log, newDecimal: (text) => text };
}

export interface Received {
  sub: string;
  n: number;
  attempt: number;
  id: string;
  customer?: string;
}

interface NativeRequest {
  payload(): { n: number; customer?: string };
  meta(): {
    trace: { traceId: string; parentTraceId?: string };
    pubsubMessage: { id: string; deliveryAttempt: number };
  };
}

/** Subscribes `handle` and records every call of it. */
export function listen(
  part: PubSubPart,
  sub: string,
  received: Received[],
  handle: (got: Received, request: NativeRequest) => unknown = () => undefined,
): void {
  const handler = (...args: unknown[]): unknown => {
    const request = args[0] as NativeRequest;
    const { id, deliveryAttempt } = request.meta().pubsubMessage;
    const got = { sub, ...request.payload(), attempt: deliveryAttempt, id };
    received.push(got);
    return handle(got, request);
  };
  void part.subscription({ topicName: "orders", subscriptionName: sub, handler }).subscribe();
}

export const makePubSub = (options: HostOptions, timings: Partial<BrokerTimings> = {}): PubSubPart =>
  createPubSub(makeHost(options), { ...impatient, ...timings });

/**
 * Waits until `condition` holds. Fails after `limitMs`, also when the condition itself has no answer by then, and at once,
 * with its error, when the `work` that should bring it about fails. `state` says how far it came.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  limitMs = 90_000,
  work: Promise<unknown> = new Promise(() => undefined),
  state: () => string = () => "",
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not happen within ${limitMs} ms ${state()}`.trimEnd())), limitMs);
    work.catch(reject);
  });
  try {
    // `over` first: of two that are settled the first one counts, and an answer that needs no waiting always is.
    while (!(await Promise.race([over, condition()]))) await new Promise((resolve) => setTimeout(resolve, 10));
  } finally {
    over.catch(() => undefined); // nobody waits for it any more
    clearTimeout(timer);
  }
}
