// What worker threads share of the process beside requests (contract 12.5): subscriptions are consumed once and their
// messages shared out, a cache in memory is the main thread's, and the end comes to all threads in order.
import { AsyncResource } from "node:async_hooks";
import { createMessageCodec } from "../pubsub/codec";
import { MessagePayload } from "../pubsub/payload";
import { StoreError, type Command, type Refusal, type Reply, type Store } from "../cache/store";
import type { Host, HostLog, Part } from "../host";
import { Request, type RequestMeta } from "../native/request";
import { answering, type ThreadMember, type ThreadPool } from "../threads";

const DELIVER = "pubsub.deliver";
const CACHE = "cache.run";
const DRAIN = "drain";

export interface SubscriptionConfig {
  topicName: string;
  subscriptionName: string;
  handler: (...args: unknown[]) => unknown;
}

interface CarriedMessage {
  key: string;
  topic: string;
  /** The message's JSON text. */
  text: string;
  meta: RequestMeta;
}

const keyOf = ({ topicName, subscriptionName }: SubscriptionConfig): string => `${topicName}/${subscriptionName}`;

/** In the main thread: the subscription with its handler in one of the threads. */
export function handledInThread(config: SubscriptionConfig, pool: ThreadPool): SubscriptionConfig {
  return {
    ...config,
    handler: (request) => {
      const source = Request.sourceOf(request as Request);
      const { startedAt, trace, pubsubMessage } = source.meta();
      if (!pubsubMessage || source.text === undefined) throw new Error("a delivered message has no text to pass on");
      const { parsedPayload: _parsed, ...about } = pubsubMessage;
      const message: CarriedMessage = {
        key: keyOf(config),
        topic: config.topicName,
        text: source.text,
        meta: { startedAt, ...(trace ? { trace } : {}), pubsubMessage: about },
      };
      return pool.ask(DELIVER, message);
    },
  };
}

function requestOf({ text, meta: { pubsubMessage, ...rest } }: CarriedMessage, payload: MessagePayload): Request {
  return new Request({
    payload: () => payload.values(),
    authData: () => null,
    text,
    meta: () => ({
      ...rest,
      ...(pubsubMessage && {
        pubsubMessage: {
          ...pubsubMessage,
          get parsedPayload() {
            return payload.told();
          },
        },
      }),
    }),
  });
}

/** In a worker thread: calls the handlers of messages that the main thread consumed. */
export class MessageHandlers {
  private readonly handlers = new Map<string, SubscriptionConfig["handler"]>();

  constructor(host: Host, member: ThreadMember) {
    const codecs = new Map(host.model.topics.map((topic) => [topic.name, createMessageCodec(host, topic.message)]));
    member.serve(
      DELIVER,
      answering(async (carried) => {
        const message = carried as CarriedMessage;
        const handler = this.handlers.get(message.key);
        const codec = codecs.get(message.topic);
        if (!handler || !codec) throw new Error(`no handler is registered for ${message.key}`);
        const payload = new MessagePayload(message.text, codec);
        await payload.read();
        const request = requestOf(message, payload);
        await new AsyncResource("GroundworkMessage").runInAsyncScope(async () => handler(request)); // a context of its own (G-51)
      }),
    );
  }

  register(config: SubscriptionConfig): void {
    this.handlers.set(keyOf(config), config.handler);
  }
}

type CacheAnswer = { replies: Reply[] } | { refused: Refusal[]; aborted: boolean };

/** Bytes lose their class between threads. */
function revive(reply: Reply | Uint8Array): Reply {
  if (reply instanceof Uint8Array) return Buffer.from(reply.buffer, reply.byteOffset, reply.byteLength);
  return Array.isArray(reply) ? reply.map(revive) : reply;
}

/** In the main thread: lets worker threads use its cache. */
export function shareCache(pool: ThreadPool, store: () => Store): void {
  pool.serve(
    CACHE,
    answering(async (commands): Promise<CacheAnswer> => {
      try {
        const own = (commands as Command[]).map(([name, ...args]): Command => [
          name,
          ...args.map((arg) => (typeof arg === "string" ? arg : Buffer.from(arg))),
        ]);
        return { replies: await store().run(own) };
      } catch (error) {
        if (error instanceof StoreError) return { refused: error.refusals, aborted: error.aborted };
        throw error;
      }
    }),
  );
}

/** In a worker thread: the main thread's cache. */
export function cacheOfMain({ link }: ThreadMember): Store {
  return {
    async run(commands) {
      const answer = (await link.ask(CACHE, commands)) as CacheAnswer;
      if ("refused" in answer) throw new StoreError(answer.refused, answer.aborted);
      return answer.replies.map(revive);
    },
    close: () => Promise.resolve(),
  };
}

/** The threads as a part of the main one: there before anything takes work, ended when nothing uses them any more. */
export function threadsPart(pool: ThreadPool): Part {
  return {
    name: "worker threads",
    start: () =>
      Promise.race([
        pool.joined,
        pool.loss.then(() => Promise.reject(new Error("a worker thread ended before the app was up"))),
      ]),
    drain: () => pool.tell(DRAIN, null),
  };
}

/** In a worker thread: starts its parts, takes work, and drains them when the main thread says so. */
export async function joinThreads(
  member: ThreadMember,
  parts: readonly Part[],
  drain: () => Promise<void>,
): Promise<void> {
  member.serve(DRAIN, answering(drain));
  for (const part of parts) await part.start();
  member.join();
}

/** Resolves with the process's exit code when a thread ended before its time. */
export async function lostThread(pool: ThreadPool, log: HostLog): Promise<number> {
  const { exitCode, ...rest } = await pool.loss;
  if ("error" in rest)
    log.error("a worker thread ended by an uncaught error: the process drains the others and ends", rest.error);
  else log.error("a worker thread ended itself: the process drains the others and ends", null, { exit_code: exitCode });
  return exitCode;
}
