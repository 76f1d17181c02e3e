// What operators do with consumers: pause and resume one, send it again what happened since a time, and see how much waits.
// Each act stands in the installation's log with its reason. By command (scripts/admin.ts) or by the operators' endpoints
// (api/consumers.ts).
import { defineAction, type AuditAction } from "../audit/action";
import { recordForPlatform } from "../audit/platform";
import { DbError, isUniqueViolation } from "../db/errors";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { commonErrors } from "../security/common-errors";
import { currentProvenance } from "../security/provenance";
import { errors } from "./errors";
import { holds } from "./holds";
import { consumerStandings, heldDiscard, heldNow, holdDelete, holdInsert, type ConsumerStanding } from "./store/hold";
import { OUTBOX_DAYS } from "./store/outbox";
import { replayInsert, replayStop, replayUndo } from "./store/replay";

const paused = defineAction("events.consumer.paused", { reason: "plain" });
const resumed = defineAction("events.consumer.resumed", { reason: "plain" });
const replayed = defineAction("events.consumer.replayed", {
  reason: "plain",
  replay: "plain",
  type: "plain",
  from: "plain",
  until: "plain",
});

const discarded = defineAction("events.consumer.discarded", { reason: "plain", until: "plain" });
const replayEnded = defineAction("events.consumer.replay_ended", { reason: "plain", replay: "plain" });

export type { ConsumerStanding } from "./store/hold";

export function listConsumers(): Promise<ConsumerStanding[]> {
  return withSystem("consumer-command", consumerStandings);
}

/** Looks up one consumer. @throws APIError consumer_not_found. */
async function existing(tx: Tx, consumer: string): Promise<ConsumerStanding> {
  const found = (await consumerStandings(tx)).find((standing) => standing.consumer === consumer);
  if (found === undefined) throw errors.consumer_not_found();
  return found;
}

/**
 * From its commit on every process puts by what is for the consumer. What has begun ends as it would have, with what shares its
 * transaction for two seconds more at most. False when it is paused already.
 * @throws APIError consumer_not_found.
 */
export function pauseConsumer(consumer: string, reason: string): Promise<boolean> {
  return changing(async (tx) => {
    await existing(tx, consumer);
    const { actor } = currentProvenance(newId());
    if (!(await holdInsert(tx, { consumer, cause: "pause", reason, actor }))) return false;
    await note(tx, paused, consumer, { reason });
    return true;
  });
}

/** What waited is handed over, before what is new. False when it is not paused. @throws APIError consumer_not_found. */
export function resumeConsumer(consumer: string, reason: string): Promise<boolean> {
  return changing(async (tx) => {
    await existing(tx, consumer);
    if (!(await holdDelete(tx, consumer, "pause"))) return false;
    await note(tx, resumed, consumer, { reason });
    return true;
  });
}

export interface ReplayWanted {
  consumer: string;
  from: Date;
  /** Now, if it is not said. */
  until?: Date | undefined;
  /** Only events of this type, whatever their version. */
  type?: string | undefined;
  reason: string;
}

const DAY_MS = 86_400_000;

/**
 * Begins to send the consumer again what occurred from a time on, also what it has handled: it acts again. What it notes of them
 * in its inbox goes with the same commit as the new delivery comes. Resolves with the replay's id; a relay does the rest, from
 * half a minute later on (hold-release.ts).
 * @throws APIError consumer_not_found, replay_running, invalid_request.
 */
export async function replayEvents(wanted: ReplayWanted, now: Date = new Date()): Promise<string> {
  const { consumer, from, until, type = null, reason } = wanted;
  if (from.getTime() < now.getTime() - OUTBOX_DAYS * DAY_MS)
    throw commonErrors.invalid_request({ fields: { from: `is longer ago than events are kept: ${OUTBOX_DAYS} days` } });
  const id = newId();
  const begin = async (tx: Tx): Promise<string> => {
    await existing(tx, consumer);
    const { actor } = currentProvenance(newId());
    const replay = { id, consumer, type, from, until: until ?? null, reason, actor };
    if (!(await replayInsert(tx, replay))) throw errors.consumer_not_found();
    await holdInsert(tx, { consumer, cause: "replay", reason, actor });
    const span = { from: from.toISOString(), until: until?.toISOString() ?? null };
    await note(tx, replayed, consumer, { reason, replay: id, type, ...span });
    return id;
  };
  return changing(begin).catch((error: unknown) => {
    if (isUniqueViolation(error, "replay_open")) throw errors.replay_running();
    // Now is the database's: this process's clock may be ahead.
    if (error instanceof DbError && error.constraint === "replay_span")
      throw commonErrors.invalid_request({ fields: { from: "must be before until, and before now" } });
    throw error;
  });
}

/** Copies of a replay that one transaction takes back. */
const UNDO_BATCH = 2_000;

/**
 * Ends the consumer's replay: what of it is not handed over yet does not come again, and what its consumer had noted of that is
 * noted again. An aggregate of which a part has come keeps the older state that this told, until it is replayed again.
 * Killed half-way, the consumer stays held until this is asked for once more. False when there is none.
 * @throws APIError consumer_not_found.
 */
export async function endReplay(consumer: string, reason: string): Promise<boolean> {
  const id = await changing(async (tx) => {
    await existing(tx, consumer);
    const replay = await replayStop(tx, consumer);
    if (replay === undefined) return undefined;
    // Nothing of it is released meanwhile.
    await holdInsert(tx, { consumer, cause: "replay", reason, actor: currentProvenance(newId()).actor });
    await note(tx, replayEnded, consumer, { reason, replay });
    return replay;
  });
  if (id === undefined) return false;
  while (await changing((tx) => replayUndo(tx, id, UNDO_BATCH)));
  return true;
}

/** Events that one transaction discards. */
const DISCARD_BATCH = 2_000;

/**
 * Discards what waits for the consumer now: it never gets that. Resolves with how many events it was. What a relay has at hand
 * already still comes. Killed half-way, the rest waits until this is asked for once more.
 * @throws APIError consumer_not_found.
 */
export async function discardHeld(consumer: string, reason: string): Promise<number> {
  const until = await changing(async (tx) => {
    await existing(tx, consumer);
    const now = await heldNow(tx);
    await note(tx, discarded, consumer, { reason, until: now });
    return now;
  });
  let gone = 0;
  for (let batch = DISCARD_BATCH; batch === DISCARD_BATCH; gone += batch)
    batch = await changing((tx) => heldDiscard(tx, consumer, until, DISCARD_BATCH));
  return gone;
}

async function changing<T>(act: (tx: Tx) => Promise<T>): Promise<T> {
  const outcome = await withSystem("consumer-command", act);
  holds.forget();
  return outcome;
}

function note<F extends Record<string, "plain">>(
  tx: Tx,
  action: AuditAction<F>,
  consumer: string,
  fields: { readonly [K in keyof F]: string | null },
): Promise<void> {
  return recordForPlatform(tx, action, { target: { type: "consumer", id: consumer }, fields });
}
