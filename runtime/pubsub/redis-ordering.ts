// Messages of one key one after the other, in the order they were published, over all processes, on Redis. BullMQ's
// open edition has no groups, so each key has a line of its own beside the queue:
//
//   line      sorted set, message id → place; a message enters before it is added and leaves when it is handled or
//             has become a dead letter. A failed one stays at its head, so nobody overtakes it.
//   holder    the message of the key that a handler has now; a lease, renewed while the handler runs
//   parked    messages of the queue that a consumer took before it was their turn: delayed, promoted when it is
//
// A delivery:  its turn? ── yes → holder → handler ─ done ────→ leaves the line, promotes the next
//                │                                 └ failed ──→ gives up the holder only, comes back first
//                └─ no → parked; looks again by itself later, in case whoever would promote it died.
//                        The first in wait then also removes a head that is no more.
import { DelayedError, type Job, type Queue, type Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { Envelope } from "./envelope";

type Message = Job<Envelope>;

const HOLDER = "local holder = redis.call('get', KEYS[2]); local head = redis.call('zrange', KEYS[1], 0, 0)[1]";

/** Places are microseconds of Redis' clock, so that they tell how long a message has been in line. */
const enlist = `
local now = redis.call('time')
local place = math.max(now[1] * 1000000 + now[2], tonumber(redis.call('get', KEYS[2]) or '0') + 1)
if redis.call('zadd', KEYS[1], 'NX', string.format('%.0f', place), ARGV[1]) == 1 then redis.call('set', KEYS[2], string.format('%.0f', place)) end`;

/** Answers '' when it is the message's turn, else whom it waits for and how many are before it. One that is not in line was redriven or replayed: it waits for nobody but the holder. */
const enter = `${HOLDER}
if holder and holder ~= ARGV[1] then return {holder, redis.call('zrank', KEYS[1], ARGV[1]) or 1, redis.call('sismember', KEYS[3], ARGV[1])} end
local rank = redis.call('zrank', KEYS[1], ARGV[1])
if rank and rank > 0 then return {head, rank, redis.call('sismember', KEYS[3], ARGV[1])} end
redis.call('set', KEYS[2], ARGV[1], 'PX', ARGV[2])
redis.call('srem', KEYS[3], ARGV[1])
return {'', 0, 0}`;

/** A delivery that was none is taken back from BullMQ's count of those begun. */
const uncountOf = (message: string): string =>
  `if redis.call('exists', ${message}) == 1 then redis.call('hincrby', ${message}, 'ats', -1) end`;

/** Of a message that is given back, by whoever still has its lock; answers 1 then. */
const uncount = `if redis.call('get', KEYS[2]) ~= ARGV[1] then return 0 end
${uncountOf("KEYS[1]")}
return 1`;

/** After the message was delayed: that was no attempt. Answers 1 when its turn came in between. */
const park = `${HOLDER}
redis.call('sadd', KEYS[3], ARGV[1])
${uncountOf("KEYS[4]")}
if not holder and (head == ARGV[1] or not redis.call('zscore', KEYS[1], ARGV[1])) then return 1 end
return 0`;

const renew = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('pexpire', KEYS[1], ARGV[2]) end";

/** ARGV[2]: 'leave' takes the message out of the line as well. Answers whom to promote, if anybody. */
const release = `
if redis.call('get', KEYS[2]) == ARGV[1] then redis.call('del', KEYS[2]) end
if ARGV[2] == 'leave' then redis.call('zrem', KEYS[1], ARGV[1]) redis.call('srem', KEYS[3], ARGV[1]) end
local head = redis.call('zrange', KEYS[1], 0, 0)[1]
if head and redis.call('exists', KEYS[2]) == 0 and redis.call('sismember', KEYS[3], head) == 1 then return head end
return ''`;

const placeOf =
  "return tonumber(redis.call('zscore', KEYS[1], ARGV[1]) or '0') > (redis.call('time')[1] - ARGV[2]) * 1000000 and 1 or 0";

/** Publishing enters the line first and adds then; longer than it tries, the message never came. */
const ADDED_AFTER_SECONDS_MAX = 30;
const PARKED_MS_MAX = 3_600_000;
const FINISHED = new Set(["completed", "failed"]);

/** The broker failed while it was asked whose turn it is: no failure of the message, whose lock runs out now. */
const giveBack = (): false => false;

export interface RedisOrderingOptions {
  redis: Redis;
  /** For enlist: fails while Redis is away instead of waiting for it. */
  adding: Redis;
  prefix: string;
  leaseMs: number;
  /** How soon the first in wait looks again by itself; those behind it wait as much longer. */
  parkMs: number;
  queue(name: string): Promise<Queue<Envelope>>;
}

export class RedisOrdering {
  readonly #options: RedisOrderingOptions;
  readonly #releases = new Set<Promise<void>>();

  constructor(options: RedisOrderingOptions) {
    this.#options = options;
  }

  /** Line, holder, parked. */
  #keys(queue: string, key: string): [line: string, holder: string, parked: string] {
    const { prefix } = this.#options;
    return [`${prefix}:line:${queue}:${key}`, `${prefix}:holder:${queue}:${key}`, `${prefix}:parked:${queue}`];
  }

  /** Before the message is added to `queue`; once per message, however often it is tried. */
  async enlist(queue: string, { id, orderingKey }: Envelope): Promise<void> {
    if (orderingKey === undefined) return;
    const [line] = this.#keys(queue, orderingKey);
    await this.#options.adding.eval(enlist, 2, line, `${this.#options.prefix}:place:${queue}`, id);
  }

  /**
   * Runs `work` when it is the message's turn.
   * @throws DelayedError, which BullMQ takes for no failure, after parking a message whose turn it is not
   */
  async run(queue: string, job: Message, work: () => Promise<void>): Promise<void> {
    const { orderingKey, id } = job.data;
    if (orderingKey === undefined) return work();
    const { redis, leaseMs } = this.#options;
    const keys = this.#keys(queue, orderingKey);
    if (!(await this.#isTurnOf(queue, job, keys).catch(giveBack))) throw new DelayedError();
    const renewal = setInterval(
      () => void redis.eval(renew, 1, keys[1], id, String(leaseMs)).catch(() => undefined),
      leaseMs / 3,
    ).unref();
    try {
      await work();
    } finally {
      clearInterval(renewal);
    }
  }

  /** False when the message was parked. */
  async #isTurnOf(queue: string, job: Message, keys: [string, string, string]): Promise<boolean> {
    const { redis, leaseMs } = this.#options;
    const { orderingKey = "", id } = job.data;
    const [before, rank, wasParked] = (await redis.eval(enter, 3, ...keys, id, String(leaseMs))) as [
      string,
      number,
      number,
    ];
    if (before === "") return true;
    if (wasParked) await this.#heal(queue, orderingKey, before);
    await this.#park(queue, job, keys, rank);
    return false;
  }

  async #park(queue: string, job: Message, keys: [string, string, string], rank: number): Promise<void> {
    const { redis, prefix, parkMs } = this.#options;
    const { id } = job.data;
    await job.moveToDelayed(Date.now() + Math.min(parkMs * Math.max(rank, 1), PARKED_MS_MAX), job.token);
    if ((await redis.eval(park, 4, ...keys, `${prefix}:${queue}:${id}`, id)) === 1) await this.#promote(queue, id);
  }

  /** Puts the message back as one that was not delivered; in its line, if it has one, it keeps its place. */
  async putBack(queue: string, job: Message, dueAtMs: number): Promise<void> {
    const { redis, prefix } = this.#options;
    const { id } = job.data;
    const key = `${prefix}:${queue}:${id}`;
    // Before it is moved: then another process may count its own delivery. One that dies in between has not begun to handle it.
    if ((await redis.eval(uncount, 2, key, `${key}:lock`, job.token ?? "")) !== 1)
      throw new Error(`the lock on message ${id} was lost: it is being delivered again`);
    try {
      await job.moveToDelayed(dueAtMs, job.token);
    } finally {
      this.#release(queue, job.data, false);
    }
  }

  /** BullMQ has written what became of the message: lets the next one in. */
  attach(queue: string, worker: Worker<Envelope>): void {
    worker.on("completed", (job) => this.#release(queue, job.data, true));
    worker.on("failed", (job) => {
      if (job) this.#release(queue, job.data, job.finishedOn !== undefined);
    });
  }

  #release(queue: string, { id, orderingKey }: Envelope, leaves: boolean): void {
    if (orderingKey === undefined) return;
    const released = this.#letNextIn(queue, orderingKey, id, leaves).catch(() => undefined); // the next one heals it
    this.#releases.add(released);
    void released.then(() => this.#releases.delete(released));
  }

  async #letNextIn(queue: string, key: string, id: string, leaves: boolean): Promise<void> {
    const next = (await this.#options.redis.eval(
      release,
      3,
      ...this.#keys(queue, key),
      id,
      leaves ? "leave" : "stay",
    )) as string;
    if (next !== "") await this.#promote(queue, next);
  }

  async #promote(queue: string, id: string): Promise<void> {
    const job = await (await this.#options.queue(queue)).getJob(id);
    await job?.promote().catch(() => undefined); // it is on its way already
  }

  /** The message in front was finished by a process that died before it let the next one in, or was never added. */
  async #heal(queue: string, key: string, id: string): Promise<void> {
    const [line] = this.#keys(queue, key);
    const state = await (await this.#options.queue(queue)).getJobState(id);
    const isNew = async (): Promise<boolean> =>
      (await this.#options.redis.eval(placeOf, 1, line, id, String(ADDED_AFTER_SECONDS_MAX))) === 1;
    if (FINISHED.has(state) || (state === "unknown" && !(await isNew()))) await this.#letNextIn(queue, key, id, true);
  }

  /** Resolves when every message that was finished here has let the next one in. */
  async settled(): Promise<void> {
    await Promise.all(this.#releases);
  }
}
