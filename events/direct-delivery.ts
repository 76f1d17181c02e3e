// From the relay to the consumers of its own process, without the topic in between: what a claim brings is handled at once,
// several events in a transaction, and the backlog stays in the outbox, where claims are fair. Whoever is not in this
// process, fails, is slow, or has something of the aggregate on its way by the topic, gets it by the topic, which has the
// retries, their waits and the count of those that end their process. Such a detour is noted before it is begun and is over
// when the consumer is done with the event, so that the order of an aggregate holds over both ways. What is for a consumer
// that is held waits (holds.ts).
//   direct    rows claimed for the first time, for a consumer of this process that handles them and has no detour there
//   resting   the consumer took longer than BUDGET_MS, or hand-overs waited longer than WAIT_MS for it: everything of it
//             goes by the topic for REST_MS
// A row that is claimed again may have ended its process, and goes by the topic. Handing over stays at least once, and
// first wins: a handler that ends late, in a process that lost its lease, finds its events noted or is found by the topic.
// ADR 0010 says why, and what else was looked at.
import { logger } from "../telemetry/logger";
import { endsWithin } from "../telemetry/time-limit";
import { localConsumers, type LocalConsumer } from "./consumer";
import { declarations } from "./declarations";
import { concurrencyHere } from "./delivery-filter";
import { HELD_POSITION } from "./holds";
import { receiveTogether, type Entry } from "./receive-together";
import { closedWays, detoursBegin, type Detour } from "./store/detour";
import type { OutboxRow } from "./store/outbox";
import { eventIdOf, messageOf, REDRIVE_CONSUMER, REDRIVE_OF } from "./topic";

/** A consumer begins no further event of one hand-over after so long: at this pace the topic, which runs many at once, is faster. */
const BUDGET_MS = 2_000;
/** A hand-over waits for those before it no longer: longer queues than a busy process has on a slow machine. */
const WAIT_MS = 6_000;
/** And what it has begun is not waited for longer: the topic brings it too. With the lane's turns well below a lease. */
const LIMIT_MS = 5_000;
const REST_MS = 60_000;
/** Of one hand-over at once, where its subscription allows so many. */
const TRANSACTIONS_MAX = 8;

interface Lane {
  /** The hand-over before: one at a time. */
  last: Promise<void>;
  restsUntilMs: number;
}

export interface DirectTimes {
  waitMs: number;
  budgetMs: number;
  limitMs: number;
  restMs: number;
}

const TIMES: DirectTimes = { waitMs: WAIT_MS, budgetMs: BUDGET_MS, limitMs: LIMIT_MS, restMs: REST_MS };

/** Consumers that are done with each event, by its id. */
type Done = Map<string, Set<string>>;

export class DirectDelivery {
  private isOn = false;
  private readonly lanes = new Map<string, Lane>();
  private readonly publishing = new Map<string, ReadonlySet<string>>();

  constructor(
    private readonly times: DirectTimes = TIMES,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  turn(isOn: boolean): void {
    this.isOn = isOn;
  }

  /** Whether the consumer is done with an event that is being published just now, or gets it later. */
  hasHad(consumer: string, eventId: string): boolean {
    return this.publishing.get(eventId)?.has(consumer) === true;
  }

  /**
   * Hands the rows, sorted by position, to the consumers of this process, notes the detours of the others, and runs
   * `publish`, which gives the rows to the topic for those.
   */
  async before(rows: readonly OutboxRow[], publish: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    const done: Done = this.isOn ? await this.deliver(rows, signal) : new Map<string, Set<string>>();
    // Also while it is off: what follows may be handed over directly, here or by another process.
    for (const { eventId, consumer } of await this.noteDetours(rows, done)) addTo(done, eventId, consumer);
    for (const [id, had] of done) this.publishing.set(id, had);
    try {
      await publish();
    } finally {
      for (const id of done.keys()) this.publishing.delete(id);
    }
  }

  private async deliver(rows: readonly OutboxRow[], signal: AbortSignal | undefined): Promise<Done> {
    const done: Done = new Map();
    const fit = rows.filter(isFit);
    const consumers = [...localConsumers.values()].filter(
      (consumer) =>
        concurrencyHere(consumer.name) > 0 && !this.isResting(consumer.name) && fit.some((row) => isFor(consumer, row)),
    );
    if (consumers.length === 0) return done;
    const closed = new Set<string>();
    // Sorted by position: of each aggregate the last one stays.
    const aggregates = [...new Map(fit.map((row) => [row.aggregateKey, row])).values()];
    const names = consumers.map(({ name }) => name);
    for (const { consumer, aggregateKey } of await closedWays(names, aggregates))
      closed.add(`${consumer} ${aggregateKey}`);
    await Promise.all(
      consumers.map(async (consumer) => {
        // Behind a row that goes by the topic, as one that only another version handles, the rest of its aggregate does too.
        const goesByTopic = (row: OutboxRow): boolean =>
          !(isFit(row) && isFor(consumer, row)) && declarations.isWanted(consumer.name, row);
        const held = new Set(rows.filter(goesByTopic).map((row) => row.aggregateKey));
        const own = fit.filter(
          (row) =>
            isFor(consumer, row) && !held.has(row.aggregateKey) && !closed.has(`${consumer.name} ${row.aggregateKey}`),
        );
        const onDone = (id: string): void => addTo(done, id, consumer.name);
        if (own.length > 0) await this.give(consumer, own, onDone, signal);
      }),
    );
    return done;
  }

  /**
   * Never rejects: what went wrong goes by the topic. The wait for the lane has an end of its own: hand-overs that queue
   * behind a consumer hold up everybody they have something for, but those of a busy consumer queue too, and the topic,
   * which costs more for each event, would only make it slower.
   */
  private async give(
    consumer: LocalConsumer,
    rows: readonly OutboxRow[],
    onDone: (id: string) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const lane = this.laneOf(consumer.name);
    const waitsUntil = this.nowMs() + this.times.waitMs;
    const before = lane.last;
    let end!: () => void;
    lane.last = new Promise((resolve) => (end = resolve));
    await before;
    try {
      const until = this.nowMs() + this.times.budgetMs;
      if (this.nowMs() >= waitsUntil) lane.restsUntilMs = this.nowMs() + this.times.restMs;
      else if (!this.isResting(consumer.name) && !signal?.aborted)
        await this.giveNow(consumer, rows, { onDone, until, signal });
    } finally {
      end();
    }
  }

  private async giveNow(
    consumer: LocalConsumer,
    rows: readonly OutboxRow[],
    { onDone, until, signal }: { onDone: (id: string) => void; until: number; signal: AbortSignal | undefined },
  ): Promise<void> {
    const { limitMs, restMs } = this.times;
    let isWaitedFor = true;
    const work = receiveTogether(
      consumer,
      rows.map((row): Entry => ({ message: messageOf(row), aggregateKey: row.aggregateKey })),
      {
        transactions: Math.min(concurrencyHere(consumer.name), TRANSACTIONS_MAX),
        mayGoOn: () => isWaitedFor && this.nowMs() < until && signal?.aborted !== true,
        onDone: ({ message }) => {
          if (isWaitedFor) onDone(message.id);
        },
      },
    ).catch((error: unknown) =>
      logger("events").warn({ err: error, consumer: consumer.name }, "events go to their consumer by the topic"),
    );
    const isInTime = await endsWithin(work, limitMs);
    isWaitedFor = false;
    if (!isInTime || this.nowMs() > until) this.laneOf(consumer.name).restsUntilMs = this.nowMs() + restMs;
  }

  /**
   * The topic's messages for consumers that anybody declares; unknown ones have no direct way. Resolves with those that
   * the topic is not to bring, because they wait: also what is for one consumer alone that no version has which runs, or the
   * row would count as published to nobody.
   */
  private async noteDetours(rows: readonly OutboxRow[], done: Done): Promise<Pick<Detour, "consumer" | "eventId">[]> {
    const detours = rows.flatMap((row) => {
      // A redrive is the event it was.
      const eventId = eventIdOf(row);
      const detour = (consumer: string, isMissing: boolean): Detour => ({
        ...row,
        eventId,
        rowId: row.id,
        consumer,
        isMissing,
      });
      const missing = declarations.missingFor(row);
      if (missing !== undefined) return [detour(missing, true)];
      return declarations
        .wantedBy(row)
        .filter((consumer) => done.get(eventId)?.has(consumer) !== true)
        .map((consumer) => detour(consumer, false));
    });
    return detours.length > 0 ? detoursBegin(detours) : [];
  }

  private isResting(consumer: string): boolean {
    return this.nowMs() < this.laneOf(consumer).restsUntilMs;
  }

  private laneOf(consumer: string): Lane {
    const lane = this.lanes.get(consumer) ?? { last: Promise.resolve(), restsUntilMs: -Infinity };
    this.lanes.set(consumer, lane);
    return lane;
  }
}

/** A row that was claimed before may have ended its process; so may a dead letter that is sent again, unlike one that was held. */
const isFit = ({ attempts, headers }: OutboxRow): boolean =>
  attempts === 1 && (headers[REDRIVE_OF] === undefined || headers[HELD_POSITION] !== undefined);

const addTo = (done: Done, eventId: string, consumer: string): void =>
  void done.set(eventId, (done.get(eventId) ?? new Set()).add(consumer));

const isFor = ({ name, byKey }: LocalConsumer, { type, version, headers }: OutboxRow): boolean =>
  byKey.has(`${type}@${version}`) && (headers[REDRIVE_CONSUMER] === undefined || headers[REDRIVE_CONSUMER] === name);

/** This process's. */
export const direct = new DirectDelivery();
