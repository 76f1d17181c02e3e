// BullMQ's backends of a worker, so that the connections a process holds do not grow with the number of its job types. By itself
// each worker has one more to wait on: a listener on Postgres, a blocked client on Redis. Here all workers of a process
// wait on the same one:
//
//   Postgres   one client listens; BullMQ's own waiting, given that client
//   Redis      one client hears which queues have got work (redis-storage.ts), and every worker of the queue looks then. What was
//              missed meanwhile says the queue's marker, which BullMQ's blocked client would have popped. It is not enough by
//              itself: one worker takes it, and who is left asleep is not told that it has put it back
import {
  PostgresQueueBackend,
  QueueKeys,
  RedisConnection,
  RedisQueueBackend,
  type BackendFactory,
  type PostgresConnection,
  type PostgresConnectionOptions,
  type RedisQueueBackend as RedisBackend,
} from "bullmq";
import type { Redis } from "ioredis";
import { onWork } from "./work-signals";

type PostgresOptions = ConstructorParameters<typeof PostgresQueueBackend>[2];
type RedisOptions = ConstructorParameters<typeof RedisQueueBackend>[4];
type Marker = Awaited<ReturnType<RedisBackend["waitForJob"]>>;

/** Over a connection that others use too, and that outlives it. */
class ListeningBackend extends PostgresQueueBackend {
  readonly #connection: PostgresConnection;
  readonly #onError = (error: Error): boolean => this.emit("error", error);
  /** The client is gone: whoever waits on it looks again, and listens on the next. */
  readonly #onGone = (): void => {
    void this.disconnectBlocking();
    if (this.closing === undefined) void this.reconnectBlocking();
  };

  constructor(connection: PostgresConnection, name: string, options: PostgresOptions) {
    super(connection, name, options, false);
    this.#connection = connection;
    connection.on("error", this.#onError);
    connection.on("listenerinvalidated", this.#onGone);
  }

  override close(): Promise<void> {
    this.#connection.off("error", this.#onError);
    this.#connection.off("listenerinvalidated", this.#onGone);
    return (this.closing ??= this.disconnectBlocking());
  }
}

/** For workers and queues of one process, all over `connection`. */
export const listeningFactory =
  (connection: PostgresConnection): BackendFactory<PostgresQueueBackend, PostgresConnectionOptions> =>
  (name, options) =>
    new ListeningBackend(connection, name, options);

/** Look now. */
const HEARD: Marker = { member: "", score: 0 };
/** Look no more: what a worker that closes is told. */
const NEVER: Marker = { member: "", score: Infinity };

class HearingBackend extends RedisQueueBackend {
  readonly #redis: Redis;
  #isCut = false;
  #wake = (): void => undefined;

  constructor(connection: RedisConnection, name: string, keys: QueueKeys, options: RedisOptions, redis: Redis) {
    super(connection, name, keys.getKeys(name), (type) => keys.toKey(name, type), options);
    this.#redis = redis;
  }

  override async waitForJob(blockTimeout: number): Promise<Marker> {
    if (this.#isCut) return NEVER;
    const heard = this.#hear(blockTimeout * 1_000);
    try {
      const [member, score] = await this.#redis.zpopmin(this.toKey("marker"));
      if (member !== undefined) return { member, score: Number(score) };
      if (await heard.work) return HEARD;
      return this.#isCut ? NEVER : null;
    } finally {
      heard.end();
    }
  }

  override disconnectBlocking(): Promise<void> {
    this.#isCut = true;
    this.#wake();
    return Promise.resolve();
  }

  override reconnectBlocking(): Promise<void> {
    this.#isCut = false;
    return Promise.resolve();
  }

  /** Whether the queue gets work within the time; listens from the call on. */
  #hear(forMs: number): { work: Promise<boolean>; end: () => void } {
    let end = (): void => undefined;
    const work = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.max(forMs, 0));
      const unhear = onWork(this.name, () => resolve(true));
      this.#wake = () => resolve(false);
      end = () => {
        clearTimeout(timer);
        unhear();
        this.#wake = () => undefined;
      };
    });
    return { work, end: () => end() };
  }
}

/** For workers of one process, all over `redis`. */
export const hearingFactory =
  (redis: Redis, prefix: string): BackendFactory<RedisQueueBackend> =>
  (name, options) => {
    const connection = new RedisConnection(redis, { shared: true, blocking: false });
    return new HearingBackend(connection, name, new QueueKeys(prefix), options, redis);
  };
