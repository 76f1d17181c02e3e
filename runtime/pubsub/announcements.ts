// Wakes the consumers of this process when another one added a message: by LISTEN where Postgres delivers
// it, and in any case by one query now and then for all idle queues together. That query also finds delayed
// messages whose process died before their time came. Who cannot listen, or hears nothing, tries again after ever longer waits:
// a database that was away or busy at the start is listened to as soon as it is not, and one that delivers no
// notifications is hardly asked.
import { Client, type Pool } from "pg";
import { dropWhenSilent } from "../silent-connection";
import type { BrokerTimings } from "./broker";
import type { Wakeups } from "./wakeups";

const CHANNEL = "bullmq_jobs";
const PROBE_MS = 500;
/** Longest wait between attempts to listen. */
const LISTEN_AGAIN_MS_MAX = 60_000;

const claimable = `select queue from unnest($1::text[]) as idle(queue) where
  exists (select 1 from job where job.queue = idle.queue and state = 'waiting')
  or exists (select 1 from job where job.queue = idle.queue and state = 'delayed' and process_at_ms <= extract(epoch from clock_timestamp()) * 1000)`;

export class Announcements {
  readonly #pool: Pool;
  readonly #url: string;
  readonly #wakeups: Wakeups;
  readonly #timings: BrokerTimings;
  #listener: Client | undefined;
  /** The listener that has not yet answered. */
  #asked: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #listenTimer: NodeJS.Timeout | undefined;
  /** Attempts to listen that came to nothing, in a row. */
  #failures = 0;
  #closed = false;

  constructor(pool: Pool, url: string, wakeups: Wakeups, timings: BrokerTimings) {
    this.#pool = pool;
    this.#url = url;
    this.#wakeups = wakeups;
    this.#timings = timings;
  }

  async start(): Promise<void> {
    await this.#listen();
    this.#schedule();
    this.#listenLater();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#listenTimer);
    await this.#listener?.end().catch(() => undefined);
  }

  #schedule(): void {
    if (this.#closed) return;
    const { pollAnnouncedMs, pollSilentMs } = this.#timings;
    this.#timer = setTimeout(() => void this.#poll(), this.#listener ? pollAnnouncedMs : pollSilentMs).unref();
  }

  async #poll(): Promise<void> {
    const idle = this.#wakeups.idle();
    if (idle.length > 0) {
      const found = await this.#pool.query<{ queue: string }>(claimable, [idle]).catch(() => undefined);
      for (const row of found?.rows ?? []) this.#wakeups.signal(row.queue);
      this.#askListener();
    }
    this.#schedule();
  }

  /** A listener on a dead line would wait for ever: asked now and then, it is dropped when it does not answer. */
  #askListener(): void {
    const listener = this.#listener;
    if (!listener || this.#asked === listener) return;
    this.#asked = listener;
    const answered = (): void => {
      if (this.#asked === listener) this.#asked = undefined;
    };
    listener.query("select 1").then(answered, answered);
  }

  /** Keeps a listening connection if a notification sent to ourselves arrives; the embedded database drops it. */
  async #listen(): Promise<void> {
    const client = new Client({
      connectionString: this.#url,
      keepAlive: true,
      connectionTimeoutMillis: this.#timings.silenceMs,
      application_name: "groundwork-pubsub-listen",
    });
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    try {
      await client.connect();
      dropWhenSilent(client, this.#timings.silenceMs);
      await client.query(`listen ${CHANNEL}`);
      if ((await this.#hears(client)) && !this.#closed) this.#listener = client;
      else await client.end();
    } catch {
      client.end().catch(() => undefined); // not awaited: it may hang, as what failed did
    }
  }

  async #hears(client: Client): Promise<boolean> {
    const probe = `probe-${process.pid}-${Math.random()}`;
    const heard = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), PROBE_MS);
      client.on("notification", ({ payload }) => {
        if (payload !== probe) return this.#wakeups.signal(payload ?? "");
        clearTimeout(timer);
        resolve(true);
      });
    });
    await this.#pool.query("select pg_notify($1, $2)", [CHANNEL, probe]);
    return heard;
  }

  #lost(client: Client): void {
    if (this.#closed || this.#listener !== client) return;
    this.#listener = undefined;
    this.#wakeups.signalAll();
    this.#failures = 0;
    this.#listenLater();
  }

  /** Does nothing while there is a listener. */
  #listenLater(): void {
    if (this.#closed || this.#listener) return;
    const waitMs = Math.min(this.#timings.reconnectMs * 2 ** this.#failures++, LISTEN_AGAIN_MS_MAX);
    clearTimeout(this.#listenTimer);
    this.#listenTimer = setTimeout(() => void this.#relisten(), waitMs).unref();
  }

  async #relisten(): Promise<void> {
    if (this.#closed || this.#listener) return;
    await this.#listen();
    if (this.#listener) this.#wakeups.signalAll();
    else this.#listenLater();
  }
}
