// A cache on Redis: single commands go as they are, several as one MULTI.
import type { Redis } from "ioredis";
import { StoreError, type Command, type Reply, type Store } from "./store";

function asStoreError(error: unknown, index: number): unknown {
  if (!(error instanceof Error) || error.name !== "ReplyError") return error;
  return new StoreError(error.message.replace(/^ERR /, ""), index);
}

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
    await this.#redis.quit().catch(() => this.#redis.disconnect());
  }

  async #single(command: Command): Promise<Reply[]> {
    try {
      return [(await this.#redis.callBuffer(...command)) as Reply];
    } catch (error) {
      throw asStoreError(error, 0);
    }
  }

  async #transaction(commands: readonly Command[]): Promise<Reply[]> {
    const multi = this.#redis.multi();
    for (const command of commands) multi.callBuffer(...command);
    const results = await multi.exec().catch((error: unknown) => {
      throw asStoreError((error as { previousErrors?: unknown[] }).previousErrors?.[0] ?? error, 0);
    });
    return (results ?? []).map(([error, reply], index) => {
      if (error) throw asStoreError(error, index);
      return reply as Reply;
    });
  }
}
