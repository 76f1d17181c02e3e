// The bus over all replicas: one Redis stream a category, trimmed as it is written. A group reads by XREADGROUP and acknowledges
// what it has handled; what a replica that died had taken is claimed by another (XAUTOCLAIM), and dropped when it has ended
// several. Without a group each subscriber reads by XREAD from where it began. What bites users of streams, and is met here:
// entries that are trimmed stay pending (redis/redis #10756; claiming removes them since 7.0), consumers of dead processes
// stay for ever (#9745: deleting one with pending entries loses those), groups go with a flushed server (NOGROUP).
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { backoffMs } from "../../db/backoff";
import type { TenantId } from "../../security/principal";
import { logger } from "../../telemetry/logger";
import { busNoticesTotal } from "../../telemetry/metrics";
import { withinTime } from "../../telemetry/time-limit";
import {
  assertGroup,
  ATTEMPTS_MAX,
  noticeFrom,
  WAITING_MAX,
  type Bus,
  type BusSubscription,
  type NoticeDefinition,
  type NoticeHandler,
  type SubscribeOptions,
} from "./bus";
import { handleNotice } from "./handle-notice";
import { fieldsOf, noticeOf, typeOf, type StreamEntry } from "./redis-stream";

export interface RedisStreamSettings {
  /** Before every key: "groundwork:bus". */
  prefix: string;
  /** An entry whose reader was not heard of for so long is another's. Longer than all attempts of a handler. */
  staleMs?: number;
  /** Longest wait for an answer. */
  limitMs?: number;
}

const STALE_MS = 60_000;
const LIMIT_MS = 3_000;
const BLOCK_MS = 2_000;
/** A connection on which nothing arrives for so long is given up and made anew. */
const SILENCE_MS = 10_000;
/** Consumers of processes that are gone. */
const GONE_MS = 3_600_000;
const RECONNECT = { firstMs: 200, maxMs: 5_000 };
const log = logger("bus");

type Reply = [key: string, entries: StreamEntry[]][] | null;

/** One subscriber with a connection of its own, because reading blocks it. */
class Reader {
  private readonly key: string;
  private readonly group: string | undefined;
  private readonly redis: Redis;
  private readonly consumer = randomUUID();
  private isClosed = false;
  private loop: Promise<void> = Promise.resolve();
  private lastId = "";
  private lookedAtMs = -Infinity;

  constructor(
    url: string,
    place: { key: string; /** Undefined: everybody's own. */ group: string | undefined },
    private readonly definition: NoticeDefinition,
    private readonly handler: NoticeHandler<unknown>,
    private readonly settings: Required<RedisStreamSettings>,
  ) {
    ({ key: this.key, group: this.group } = place);
    const { limitMs: connectTimeout } = settings;
    this.redis = new Redis(url, {
      connectTimeout,
      socketTimeout: SILENCE_MS,
      maxRetriesPerRequest: null,
      lazyConnect: true,
    });
    this.redis.on("error", () => undefined); // told by the loop
  }

  /** Rejects, and leaves nothing, when Redis does not answer in time. */
  async start(): Promise<void> {
    try {
      await withinTime(
        this.redis.connect().then(() => this.findPlace("$")),
        this.settings.limitMs,
      );
    } catch (error) {
      this.redis.disconnect();
      throw error;
    }
    this.loop = this.readAll();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    // What it blocks on ends by itself, soon.
    await this.loop;
    this.redis.disconnect();
  }

  /** @param from where a group that is not there begins */
  private async findPlace(from: "$" | "0"): Promise<void> {
    if (this.group === undefined) {
      const [newest] = (await this.redis.xrevrange(this.key, "+", "-", "COUNT", 1)) as StreamEntry[];
      this.lastId = newest?.[0] ?? "0-0";
      return;
    }
    await this.redis.xgroup("CREATE", this.key, this.group, from, "MKSTREAM").catch((error: unknown) => {
      if (!hasCode(error, "BUSYGROUP")) throw error;
    });
  }

  private async readAll(): Promise<void> {
    for (let failures = 0; !this.isClosed;) {
      try {
        await this.readOnce();
        failures = 0;
      } catch (error) {
        if (failures++ === 0) log.warn({ err: error, key: this.key }, "the bus could not be read, and is tried again");
        await new Promise((resolve) => setTimeout(resolve, backoffMs(RECONNECT, failures)));
        // With the stream its groups are gone; what came since has not been read by anybody.
        if (hasCode(error, "NOGROUP")) await this.findPlace("0").catch(() => undefined);
      }
    }
    if (this.group !== undefined) await this.leave(this.group);
  }

  private async readOnce(): Promise<void> {
    const { redis, key, group, consumer } = this;
    if (group === undefined) {
      const reply = (await redis.xread("COUNT", 50, "BLOCK", BLOCK_MS, "STREAMS", key, this.lastId)) as Reply;
      for (const entry of entriesOf(reply)) {
        this.lastId = entry[0];
        if (!this.isClosed) await this.handle(entry, 0);
      }
      return;
    }
    await this.takeOver(group);
    // One at a time: what waits behind a slow one is not this reader's yet.
    const reply = await redis.xreadgroup("GROUP", group, consumer, "COUNT", 1, "BLOCK", BLOCK_MS, "STREAMS", key, ">");
    for (const entry of entriesOf(reply)) await this.handleAndAck(group, entry, 0);
  }

  /** Now and then: what readers that died had taken, and what is left of them. */
  private async takeOver(group: string): Promise<void> {
    const { redis, key, consumer } = this;
    const { staleMs } = this.settings;
    if (performance.now() - this.lookedAtMs < staleMs / 2) return;
    this.lookedAtMs = performance.now();
    const pending = (await redis.xpending(key, group, "IDLE", staleMs, "-", "+", 100)) as [
      string,
      string,
      number,
      number,
    ][];
    const deaths = new Map(pending.map(([id, , , count]) => [id, count]));
    for (let cursor = "0-0"; ;) {
      const [next, claimed] = (await redis.xautoclaim(key, group, consumer, staleMs, cursor, "COUNT", 1)) as [
        string,
        StreamEntry[],
      ];
      for (const entry of claimed) await this.handleAndAck(group, entry, deaths.get(entry[0]) ?? 1);
      if (next === "0-0") break;
      cursor = next;
    }
    for (const gone of (await redis.xinfo("CONSUMERS", key, group)) as unknown[][]) {
      const { name, pending: left, idle } = Object.fromEntries(pairsOf(gone)) as Record<string, unknown>;
      if (name !== consumer && left === 0 && Number(idle) > GONE_MS)
        await redis.xgroup("DELCONSUMER", key, group, String(name));
    }
  }

  private async handleAndAck(group: string, entry: StreamEntry, deaths: number): Promise<void> {
    await this.handle(entry, deaths);
    await this.redis.xack(this.key, group, entry[0]);
  }

  /** @param deaths how many readers have died with it */
  private async handle(entry: StreamEntry, deaths: number): Promise<void> {
    const { type } = this.definition;
    if (typeOf(entry) !== type) return;
    const notice = noticeOf(this.definition, entry);
    if (notice === undefined || deaths >= ATTEMPTS_MAX) {
      busNoticesTotal.add(1, { type, outcome: "dropped" });
      log.error(
        { entry: entry[0], key: this.key, deaths },
        "a notice was dropped: it does not fit, or ends who handles it",
      );
      return;
    }
    await handleNotice(this.handler, notice, deaths + 1);
  }

  /** Everything it had is acknowledged by now, unless Redis was away: then it stays, until another has taken that over. */
  private async leave(group: string): Promise<void> {
    const leaving = async (): Promise<void> => {
      const mine = await this.redis.xpending(this.key, group, "-", "+", 1, this.consumer);
      if (mine.length === 0) await this.redis.xgroup("DELCONSUMER", this.key, group, this.consumer);
    };
    await withinTime(leaving(), this.settings.limitMs).catch(() => undefined);
  }
}

const entriesOf = (reply: Reply): StreamEntry[] => reply?.flatMap(([, entries]) => entries) ?? [];
const hasCode = (error: unknown, code: string): boolean => error instanceof Error && error.message.startsWith(code);

function pairsOf(flat: unknown[]): [string, unknown][] {
  const pairs: [string, unknown][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) pairs.push([String(flat[at]), flat[at + 1]]);
  return pairs;
}

export class RedisStreamBus implements Bus {
  private readonly redis: Redis;
  private readonly readers = new Set<Reader>();
  private readonly settings: Required<RedisStreamSettings>;

  constructor(
    private readonly url: string,
    settings: RedisStreamSettings,
  ) {
    this.settings = { staleMs: STALE_MS, limitMs: LIMIT_MS, ...settings };
    const { limitMs } = this.settings;
    this.redis = new Redis(url, {
      ...{ connectTimeout: limitMs, commandTimeout: limitMs, socketTimeout: SILENCE_MS },
      ...{ maxRetriesPerRequest: 1, lazyConnect: true },
    });
    this.redis.on("error", () => undefined); // whoever publishes hears of it
  }

  async publish<Data>(
    definition: NoticeDefinition<Data>,
    data: Data,
    tenantId: TenantId | null = null,
  ): Promise<string> {
    const { notice, text } = noticeFrom(definition, data, tenantId);
    const fields = fieldsOf(notice, text);
    await withinTime(
      this.redis.xadd(this.keyOf(definition), "MAXLEN", "~", WAITING_MAX, "*", ...fields),
      this.settings.limitMs,
    );
    busNoticesTotal.add(1, { type: definition.type, outcome: "published" });
    return notice.id;
  }

  async subscribe<Data>(
    definition: NoticeDefinition<Data>,
    handler: NoticeHandler<Data>,
    { group }: SubscribeOptions = {},
  ): Promise<BusSubscription> {
    assertGroup(group);
    // A group of Redis gets all that its stream has: one that reads another type would acknowledge this one's.
    const name = group === undefined ? undefined : `${group}:${definition.type}`;
    const place = { key: this.keyOf(definition), group: name };
    // It is given what the definition's schema has checked.
    const reader = new Reader(this.url, place, definition, handler as NoticeHandler<unknown>, this.settings);
    await reader.start();
    this.readers.add(reader);
    return {
      close: async () => {
        this.readers.delete(reader);
        await reader.close();
      },
    };
  }

  async close(): Promise<void> {
    const closing = [...this.readers];
    this.readers.clear();
    await Promise.all(closing.map((reader) => reader.close()));
    this.redis.disconnect();
  }

  private keyOf({ category }: NoticeDefinition): string {
    return `${this.settings.prefix}:${category}`;
  }
}
