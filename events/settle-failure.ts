// What follows when an event could not be handled: it is counted, and given up after its last attempt.
import { withSystem } from "../db/tenant";
import { errorText } from "../telemetry/error-text";
import { logger } from "../telemetry/logger";
import { buryEvent } from "./dead-letters";
import { declarations } from "./declarations";
import { UnfitEventError, UnknownEventError } from "./received";
import { detourEndIn } from "./store/detour";
import { inboxCountFailure, type InboxFailure } from "./store/inbox";
import type { DomainEvent } from "./topic";

export interface Receiver {
  readonly name: string;
  readonly maxAttempts: number;
}

/**
 * How long an event that no replica handles is delivered again before it becomes a dead letter: longer than a
 * deployment takes, shorter than the patience of a transport that counts each delivery (Encore's own: a hundred tries, about
 * sixteen hours). While a version that runs handles it, it is never given up for this.
 */
export const UNKNOWN_EVENT_HOURS = 12;

/** Why no further attempt is worth it; null while one is. */
function reasonToGiveUp(
  error: unknown,
  { attempts, waitedHours }: InboxFailure,
  { maxAttempts, isHandledElsewhere }: { maxAttempts: number; isHandledElsewhere: boolean },
): string | null {
  if (error instanceof UnknownEventError)
    return waitedHours >= UNKNOWN_EVENT_HOURS && !isHandledElsewhere ? "unknown_event" : null;
  if (error instanceof UnfitEventError) return error.reason;
  return attempts >= maxAttempts ? "attempts_exhausted" : null;
}

/**
 * Counts the failure, or gives the event up. Throws the error while attempts are left, for the transport to deliver again. `known`: the
 * event was handled or given up meanwhile.
 */
export async function settleFailure(
  { name, maxAttempts }: Receiver,
  message: DomainEvent,
  error: unknown,
  costs: number,
): Promise<"given_up" | "known"> {
  const log = logger("events");
  const facts = { err: error, consumer: name, eventId: message.id, type: message.type };
  const text = errorText(error);
  const isUnknown = error instanceof UnknownEventError;
  const isHandledElsewhere =
    isUnknown && (await declarations.isHandledElsewhere(name, `${message.type}@${message.version}`));
  let isFirst = true;
  const settled = await withSystem("consume-failed", async (tx) => {
    const seen = await inboxCountFailure(tx, name, message, text, costs);
    if (seen === null) {
      await detourEndIn(tx, name, message.id);
      return "known" as const;
    }
    const { attempts } = seen;
    // The first time it is noted at the time of this very transaction.
    isFirst = seen.waitedHours === 0;
    const reason = reasonToGiveUp(error, seen, { maxAttempts, isHandledElsewhere });
    if (reason === null) return undefined;
    await buryEvent(tx, name, message, { reason, error: text, attempts });
    log.error({ ...facts, reason, attempts }, "an event was given up: see the dead letters");
    return "given_up" as const;
  });
  if (settled !== undefined) return settled;
  if (!isUnknown) log.warn(facts, "an event could not be handled and will be delivered again");
  else if (isFirst) log.warn(facts, "an event is left to a version of the app that handles it");
  throw error;
}
