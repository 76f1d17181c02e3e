// A cache on Redis: single commands go as they are, several as one MULTI.
import { Redis } from "ioredis";
import { leaveRedis } from "../redis-connection";
import { StoreError, type Command, type Refusal, type Reply, type Store } from "./store";

const isReplyError = (error: unknown): error is Error => error instanceof Error && error.name === "ReplyError";
const refusalOf = (error: Error, index: number): Refusal => ({ index, message: error.message.replace(/^ERR /, "") });

/** What queueing a transaction was refused for: ioredis hands it over beside EXEC's own error, one for each command. */
function asAborted(error: unknown): unknown {
  const { previousErrors } = error as { previousErrors?: unknown[] };
  const refusals = (previousErrors ?? []).flatMap((each, index) =>
    isReplyError(each) ? [refusalOf(each, index)] : [],
  );
  return refusals.length > 0 ? new StoreError(refusals, true) : error;
}

/** Integers come as text where the connection says `stringNumbers`: its own reading is inexact from 2^53 - 1 on. */
type RawReply = Reply | string | RawReply[];

function replyOf(raw: RawReply): Reply {
  if (typeof raw === "string") return Number(raw);
  return Array.isArray(raw) ? raw.map(replyOf) : raw;
}

/** A Redis that accepts and says nothing is an error for who asks, as one that is away. */
const limits = { maxRetriesPerRequest: 3, commandTimeout: 5_000, socketTimeout: 10_000 };

export function openRedisStore(url: string, onProblem: (error: Error) => void): RedisStore {
  const redis = new Redis(url, { stringNumbers: true, ...limits });
  redis.on("error", onProblem);
  return new RedisStore(redis);
}

/** `redis` is a connection with `stringNumbers`. */
export class RedisStore implements Store {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  run(commands: readonly Command[]): Promise<Reply[]> {
    const [only, second] = commands;
    return only && !second ? this.#single(only) : this.#transaction(commands);
  }

  async close(): Promise<void> {
    await leaveRedis(this.#redis);
  }

  async #single(command: Command): Promise<Reply[]> {
    try {
      return [replyOf((await this.#redis.callBuffer(...command)) as RawReply)];
    } catch (error) {
      throw isReplyError(error) ? new StoreError([refusalOf(error, 0)]) : error;
    }
  }

  async #transaction(commands: readonly Command[]): Promise<Reply[]> {
    const multi = this.#redis.multi();
    for (const command of commands) multi.callBuffer(...command);
    const results =
      (await multi.exec().catch((error: unknown) => {
        throw asAborted(error);
      })) ?? [];
    const refusals = results.flatMap(([error], index) => (isReplyError(error) ? [refusalOf(error, index)] : []));
    if (refusals.length > 0) throw new StoreError(refusals);
    return results.map(([error, reply]) => {
      if (error) throw error;
      return replyOf(reply as RawReply);
    });
  }
}
