// Topics on Postgres: BullMQ queues in the schema `bullmq` of the app's first database.
import { Queue, Worker, type PostgresConnection, type PostgresConnectionOptions } from "bullmq";
import type { Pool } from "pg";
import { Announcements } from "./announcements";
import { whileAway } from "../broker-errors";
import {
  HANDLED_KEPT,
  type Broker,
  type BrokerTimings,
  type ConsumeOptions,
  type Consumer,
  type MessageQueue,
  type Processor,
} from "./broker";
import { postgresJobOptions, workerOptions } from "./bullmq-options";
import { subscriptionOf, type Envelope } from "./envelope";
import { GiveBackPace, givingBack } from "./give-back";
import { GroupCommit } from "./group-commit";
import { connectBroker, createBrokerPool } from "./postgres-pool";
import { obliterate } from "./remove-queue";
import { wakingFactory, type WakingBackend, type WakingOptions } from "./postgres-backend";
import { storableJson } from "./storable";
import { Wakeups } from "./wakeups";

const CONNECT_LIMIT_MS = 30_000;
const TRIM_EVERY_MS = 30_000;
const EVENTS_KEPT = 100;

/** Handled messages beyond the newest `HANDLED_KEPT`. BullMQ's own retention would look for them at every message. */
const trimHandled = `delete from job where queue = $1 and state = 'completed' and finished_at_ms < (
  select finished_at_ms from job where queue = $1 and state = 'completed' order by finished_at_ms desc offset ${HANDLED_KEPT} limit 1)`;

/** A message in all its queues or in none; a message that is there already stays as it is. */
const addMessages = `
with added as (
  insert into bullmq.job (queue, id, seq, name, state, data, opts, max_attempts, added_at_ms)
  select queue, id, nextval('bullmq.job_seq'), 'message', 'waiting', data::jsonb, $4::jsonb, $5, $6
  from (select * from unnest($1::text[], $2::text[], $3::text[]) with ordinality as input (queue, id, data, place) order by place) as input
  on conflict do nothing returning queue)
select pg_notify('bullmq_jobs', queue) from (select distinct queue from added) as touched`;

const ADD_MAX = 500;

/** From index entry to index entry: there are few queues, and may be many messages. */
const listQueues = `
with recursive named (queue) as (
  (select queue from bullmq.job order by queue limit 1)
  union all
  select (select job.queue from bullmq.job where job.queue > named.queue order by job.queue limit 1) from named where named.queue is not null)
select queue from named where queue is not null`;

interface Addition {
  queues: readonly string[];
  message: Envelope;
}

type PostgresQueue = Queue<
  Envelope,
  unknown,
  string,
  Envelope,
  unknown,
  string,
  WakingBackend,
  PostgresConnectionOptions
>;

export class PostgresBroker implements Broker {
  readonly #pool: Pool;
  readonly #timings: BrokerTimings;
  readonly #wakeups = new Wakeups();
  readonly #pace: GiveBackPace;
  readonly #announcements: Announcements;
  readonly #queues = new Map<string, PostgresQueue>();
  readonly #handled = new Set<string>();
  readonly #additions = new GroupCommit<Addition, void>((additions) => this.#write(additions), ADD_MAX);
  #connection: Promise<PostgresConnection> | undefined;
  #listening: Promise<void> | undefined;
  #trimTimer: NodeJS.Timeout | undefined;

  constructor(url: string, maxConnections: number, timings: BrokerTimings) {
    this.#pool = createBrokerPool(url, maxConnections, timings.silenceMs);
    this.#timings = timings;
    this.#pace = new GiveBackPace(timings.giveBackMs);
    this.#announcements = new Announcements(this.#pool, url, this.#wakeups, timings);
  }

  async ready(): Promise<void> {
    await this.#connect();
  }

  #connect(): Promise<PostgresConnection> {
    if (!this.#connection) {
      this.#connection = whileAway(() => connectBroker(this.#pool), CONNECT_LIMIT_MS);
      this.#connection.catch(() => (this.#connection = undefined));
    }
    return this.#connection;
  }

  async queue(name: string): Promise<MessageQueue> {
    const connection = await this.#connect();
    const known = this.#queues.get(name);
    if (known) return known;
    const options = { connection: this.#pool, streams: { events: { maxLen: EVENTS_KEPT } } };
    const queue: PostgresQueue = new Queue(name, options, wakingFactory(connection, this.#waking()));
    queue.on("error", () => undefined); // every operation reports its own failure to its caller
    this.#queues.set(name, queue);
    return queue;
  }

  async queueNames(): Promise<string[]> {
    await this.#connect();
    const { rows } = await this.#pool.query<{ queue: string }>(listQueues);
    return rows.map(({ queue }) => queue).filter((queue) => subscriptionOf(queue) !== undefined);
  }

  async removeQueue(name: string): Promise<void> {
    await obliterate(await this.queue(name));
    this.#queues.delete(name);
  }

  async add(queues: readonly string[], message: Envelope): Promise<void> {
    await this.#connect();
    await this.#additions.submit({ queues, message });
    for (const name of queues) this.wake(name);
  }

  async #write(additions: Addition[]): Promise<void[]> {
    const rows = additions.flatMap(({ queues, message }) => {
      const data = storableJson(message);
      return queues.map((queue) => ({ queue, id: message.id, data }));
    });
    const values = [rows.map(({ queue }) => queue), rows.map(({ id }) => id), rows.map(({ data }) => data)];
    await this.#pool.query(addMessages, [
      ...values,
      JSON.stringify(postgresJobOptions),
      postgresJobOptions.attempts,
      Date.now(),
    ]);
    return additions.map(() => undefined);
  }

  #waking({ ordered = false, lostDeliveriesMax = 0 }: Partial<ConsumeOptions> = {}): WakingOptions {
    const { reconnectMs, lockMs, giveBackMs } = this.#timings;
    return { pool: this.#pool, wakeups: this.#wakeups, reconnectMs, lockMs, giveBackMs, ordered, lostDeliveriesMax };
  }

  wake(queue: string): void {
    this.#wakeups.signal(queue);
  }

  async consume(queue: string, processor: Processor, options: ConsumeOptions): Promise<Consumer> {
    const connection = await this.#connect();
    this.#listening ??= this.#announcements.start();
    this.#trimTimer ??= setInterval(() => void this.#trim(), TRIM_EVERY_MS).unref();
    const worker = new Worker(
      queue,
      givingBack(processor, this.#pace, (job, delayMs) => job.moveToDelayed(Date.now() + delayMs, job.token)),
      { ...workerOptions(options, this.#timings), connection: this.#pool },
      wakingFactory(connection, this.#waking(options)),
    );
    worker.on("error", options.onError);
    worker.on("completed", () => this.#handled.add(queue));
    return { close: () => worker.close() };
  }

  async #trim(): Promise<void> {
    const queues = [...this.#handled];
    this.#handled.clear();
    for (const queue of queues) await this.#pool.query(trimHandled, [queue]).catch(() => this.#handled.add(queue));
  }

  async close(): Promise<void> {
    clearInterval(this.#trimTimer);
    await this.#announcements.close();
    await this.#pool.end();
  }
}
