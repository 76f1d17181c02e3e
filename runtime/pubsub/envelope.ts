// What stands in the broker for one message. The body is JSON *text*: Postgres' jsonb would otherwise reorder
// its keys, drop duplicates and refuse U+0000.

export interface Envelope {
  /** Message id, the same in every subscription's queue. */
  id: string;
  body: string;
  /** Milliseconds since the epoch. */
  publishedAt: number;
  /** `Attribute` fields (P-10). */
  attributes?: Record<string, string>;
  /** Value of the ordering attribute: messages that share it are handled one after the other, in the order of their publishing. */
  orderingKey?: string;
  parentTraceId?: string;
  parentSpanId?: string;
  correlationId?: string;
  /** Written when the last permitted delivery failed. */
  failure?: { traceId: string; attempt: number };
}

/** One queue per subscription (P-20). */
export const queueName = (topic: string, subscription: string): string => `${topic}/${subscription}`;

/** Undefined for the name of another queue. */
export function subscriptionOf(queue: string): { topic: string; subscription: string } | undefined {
  const [topic, subscription, ...rest] = queue.split("/");
  return topic && subscription && rest.length === 0 ? { topic, subscription } : undefined;
}
