// Ticks in Redis: one key per (job, tick). A lease is a key that expires; a finished tick is a key that stays
// for a week. The set of open ticks lets another replica find the ones whose holder died.
import { Redis } from "ioredis";
import { leaveRedis } from "../redis-connection";
import { LEASE_MS, type Claim, type Ledger, type Tick } from "./ledger";

const KEPT_MS = 7 * 86_400_000;
/** A Redis that accepts and says nothing: the tick is tried again when its lease may have ended. */
const ANSWER_LIMIT_MS = 5_000;
const CLOCKS_DIFFER_MS = 3_600_000;
const DONE = "done";

const whenHolder = (command: string): string =>
  `if redis.call('get', KEYS[1]) == ARGV[1] then return ${command} end return 0`;

export class RedisLedger implements Ledger {
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #holder: string;
  readonly #leaseMs: number;

  constructor(
    url: string,
    prefix: string,
    holder: string,
    leaseMs: number = LEASE_MS,
    answerLimitMs: number = ANSWER_LIMIT_MS,
  ) {
    this.#redis = new Redis(url, {
      lazyConnect: true,
      commandTimeout: answerLimitMs,
      socketTimeout: 2 * answerLimitMs,
    });
    this.#redis.on("error", () => undefined); // commands report to their callers
    this.#prefix = prefix;
    this.#holder = holder;
    this.#leaseMs = leaseMs;
  }

  #key({ job, at }: Tick): string {
    return `${this.#prefix}:cron:${job}:${at}`;
  }

  get #open(): string {
    return `${this.#prefix}:cron:open`;
  }

  async start(): Promise<void> {
    await this.#redis.ping();
  }

  async claim(tick: Tick): Promise<Claim> {
    const key = this.#key(tick);
    await this.#redis.zadd(this.#open, String(tick.at), JSON.stringify([tick.job, tick.at]));
    if ((await this.#redis.set(key, this.#holder, "PX", this.#leaseMs, "NX")) === "OK") return "won";
    if ((await this.#redis.get(key)) !== DONE) return "taken";
    await this.#redis.zrem(this.#open, JSON.stringify([tick.job, tick.at]));
    return "done";
  }

  async renew(tick: Tick): Promise<void> {
    await this.#redis.eval(
      whenHolder("redis.call('pexpire', KEYS[1], ARGV[2])"),
      1,
      this.#key(tick),
      this.#holder,
      String(this.#leaseMs),
    );
  }

  async finish(tick: Tick): Promise<void> {
    const done = `redis.call('set', KEYS[1], '${DONE}', 'PX', ARGV[2])`;
    await this.#redis.eval(whenHolder(done), 1, this.#key(tick), this.#holder, String(KEPT_MS));
    await this.#redis.zrem(this.#open, JSON.stringify([tick.job, tick.at]));
  }

  async abandoned(jobs: readonly string[]): Promise<Tick[]> {
    // Of a job that the app has no more: nobody finishes it. And what is done and was left here: before that is forgotten, by whatever clock.
    await this.#redis.zremrangebyscore(this.#open, "-inf", Date.now() - KEPT_MS + CLOCKS_DIFFER_MS);
    const open = await this.#redis.zrange(this.#open, "0", "-1");
    const all = open.map((text) => JSON.parse(text) as [string, number]).map(([job, at]) => ({ job, at }));
    const ticks = all.filter(({ job }) => jobs.includes(job));
    const free = await Promise.all(ticks.map((tick) => this.#redis.exists(this.#key(tick))));
    return ticks.filter((_, index) => free[index] === 0);
  }

  async close(): Promise<void> {
    await leaveRedis(this.#redis);
  }
}
