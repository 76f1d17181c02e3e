// One subscription at work (contract 8.3): decodes, calls the handler as its own trace, and decides what a
// failure means. A failure is logged, tried again after a growing wait, and after `maxRetries` kept as a dead
// letter; it never vanishes.
import { AsyncResource } from "node:async_hooks";
import type { HostLog } from "../host";
import { Trace } from "../trace";
import { requestFields } from "../log/request-fields";
import type { SubscriptionModel } from "../model";
import { Request } from "../native/request";
import { GivenBackError, UnrecoverableError, type ConsumeOptions, type Delivery, type Processor } from "./broker";
import type { MessageCodec } from "./codec";
import { isGivenBack } from "./give-back";
import { MessagePayload } from "./payload";

export type Handler = (request: Request) => unknown;

export interface ConsumerInput {
  topic: string;
  ordered: boolean;
  subscription: SubscriptionModel;
  handler: Handler;
  codec: Pick<MessageCodec, "decode" | "decodeLarge">;
  log: HostLog;
}

const NS_PER_MS = 1_000_000;
const CONCURRENCY_DEFAULT = 100;
const CONCURRENCY_MAX = 10_000;
/** Deliveries that ended with the process, not with an answer, before the message is held for the cause. */
const LOST_DELIVERIES_MAX = 20;

/** Milliseconds after the n-th failure (from 1): doubles from the minimum to the maximum (P-21). */
export function backoffMs({ minBackoffNs, maxBackoffNs }: SubscriptionModel["retry"], failures: number): number {
  const min = minBackoffNs / NS_PER_MS;
  const max = Math.max(maxBackoffNs / NS_PER_MS, min);
  return Math.round(Math.min(min * 2 ** (failures - 1), max));
}

/** A negative number means no limit. */
export function concurrencyOf(subscription: SubscriptionModel): number {
  const wanted = subscription.maxConcurrency ?? CONCURRENCY_DEFAULT;
  return wanted < 0 ? CONCURRENCY_MAX : Math.max(1, wanted);
}

/** A request of its own trace (P-24); fresh values at every `payload`, real dates in `parsedPayload` (Appendix B, X-62). */
function requestFor({ topic, subscription }: ConsumerInput, delivery: Delivery, payload: MessagePayload): Request {
  const { id, body, publishedAt, parentTraceId, correlationId } = delivery.data;
  const { traceId, spanId } = new Trace();
  const startedAt = new Date().toISOString();
  const trace = {
    traceId,
    spanId,
    ...(parentTraceId ? { parentTraceId } : {}),
    ...(correlationId ? { extCorrelationId: correlationId } : {}),
  };
  return new Request({
    payload: () => payload.values(),
    text: body,
    authData: () => null,
    meta: () => ({
      startedAt,
      trace: { ...trace },
      pubsubMessage: {
        service: subscription.service,
        topic,
        subscription: subscription.name,
        id,
        publishedAt: new Date(publishedAt).toISOString(),
        deliveryAttempt: Math.max(delivery.attemptsStarted, 1),
        get parsedPayload() {
          return payload.told();
        },
      },
    }),
  });
}

/** In a context of its own, or the SDK's `enterWith` would leak one message's request into the next (G-51). */
function callHandler(handler: Handler, request: Request): Promise<unknown> {
  const scope = new AsyncResource("GroundworkMessage", { requireManualDestroy: false });
  return scope.runInAsyncScope(async () => handler(request));
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** Keeps what led to giving up with the message, then tells the broker to give it up. */
async function giveUp(delivery: Delivery, error: Error, traceId: string): Promise<never> {
  const failure = { traceId, attempt: delivery.attemptsStarted };
  await delivery.updateData({ ...delivery.data, failure });
  const final = new UnrecoverableError(error.message);
  if (error.stack) final.stack = error.stack;
  throw final;
}

function onFailure(input: ConsumerInput, delivery: Delivery, request: Request, thrown: unknown): Promise<never> {
  const error = asError(thrown);
  const { maxRetries } = input.subscription.retry;
  const failures = delivery.attemptsMade + 1;
  const last = maxRetries >= 0 && failures > maxRetries;
  const fields = requestFields(request);
  if (isGivenBack(thrown)) {
    input.log.info("message given back: this process cannot take it", {
      ...fields,
      message_id: delivery.data.id,
      reason: error.message,
    });
    return Promise.reject(new GivenBackError(error.message));
  }
  input.log.error(
    last ? "message given up: kept as a dead letter" : "message failed: it will be delivered again",
    error,
    {
      ...fields,
      message_id: delivery.data.id,
      attempt: delivery.attemptsStarted,
      ...(last ? {} : { retry_in_ms: backoffMs(input.subscription.retry, failures) }),
    },
  );
  if (last) return giveUp(delivery, error, String(fields.trace_id));
  return Promise.reject(error);
}

function createProcessor(input: ConsumerInput): Processor {
  return async (delivery: Delivery): Promise<void> => {
    const payload = new MessagePayload(delivery.data.body, input.codec);
    const request = requestFor(input, delivery, payload);
    let fields: Record<string, unknown> = {};
    try {
      await payload.read(); // a message that does not fit the topic's type must not reach the handler (P-23)
      fields = requestFields(request);
      input.log.info("starting request", fields);
      await callHandler(input.handler, request);
    } catch (error) {
      await onFailure(input, delivery, request, error);
    }
    input.log.info("request completed", fields);
  };
}

/** The processor of a subscription and how its queue is to be consumed. */
export function createConsumer(input: ConsumerInput): { processor: Processor; options: ConsumeOptions } {
  const { subscription, log, topic } = input;
  return {
    processor: createProcessor(input),
    options: {
      concurrency: concurrencyOf(subscription),
      backoffMs: (failures) => backoffMs(subscription.retry, failures),
      lostDeliveriesMax: LOST_DELIVERIES_MAX,
      ordered: input.ordered,
      onError: (error) =>
        log.warn("subscription: the broker reported a problem", {
          topic,
          subscription: subscription.name,
          error: error.message,
        }),
    },
  };
}
