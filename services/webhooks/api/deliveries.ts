// The endpoints that tell what became of webhooks.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, Min } from "encore.dev/validate";
import { parseCursor } from "../../../db/cursor";
import { databaseClock } from "../../../security/database-clock";
import { parseInput } from "../../../security/input";
import { currentPrincipal } from "../../../security/principal";
import { getEndpoint } from "../endpoints";
import { attemptFilter, replay as replayInput } from "../input";
import { replayMessages, sendTestMessage } from "../replay";
import { attemptList, type AttemptRow } from "../store/deliveries";
import { purgeSent } from "../upkeep";

interface WebhookAttempt {
  id: string;
  /** The event's id, which receivers get as `webhook-id`. */
  messageId: string;
  eventType: string;
  /** The same over all attempts at sending this message there once. */
  deliveryId: string;
  /** From 1. */
  number: number;
  outcome: "delivered" | "failed";
  /** What the receiver answered; absent when it did not. */
  status?: number;
  /** Why it failed: `timeout`, `no_connection`, `refused_address`, `refused` (its status says so), `gone` (410), `cut_short` (given up for others while it was slow), `not_made` (our own fault). */
  error?: string;
  /** The beginning of what it answered. */
  response?: string;
  durationMs: number;
  /** When it is tried again, if it is. ISO 8601. */
  nextAttemptAt?: string;
  createdAt: string;
}

function shown({ httpStatus, error, response, nextAt, createdAt, ...row }: AttemptRow): WebhookAttempt {
  const { id, messageId, eventType, deliveryId, number, outcome, durationMs } = row;
  return {
    ...{ id, messageId, eventType, deliveryId, number, outcome },
    ...(httpStatus === null ? {} : { status: httpStatus }),
    ...(error === null ? {} : { error }),
    ...(response === null || response === "" ? {} : { response }),
    durationMs,
    ...(nextAt === null ? {} : { nextAttemptAt: nextAt.toISOString() }),
    createdAt: createdAt.toISOString(),
  };
}

interface ListAttemptsRequest {
  id: string;
  /** Those of one message. */
  messageId?: Query<string>;
  outcome?: Query<"delivered" | "failed">;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListAttemptsResponse {
  attempts: WebhookAttempt[];
  /** Absent on the last page. */
  next?: string;
}

/** What became of each attempt at an endpoint, of the last thirty days, the newest first. */
export const listAttempts = api(
  { expose: true, auth: true, method: "GET", path: "/webhooks/endpoints/:id/attempts", tags: ["can:webhook.read"] },
  async ({ id, messageId, outcome, limit, cursor }: ListAttemptsRequest): Promise<ListAttemptsResponse> => {
    const principal = currentPrincipal();
    const filter = parseInput(attemptFilter, { messageId, outcome });
    const { id: endpointId } = await getEndpoint(principal, id);
    const wanted = { ...filter, endpointId };
    const { rows, next } = await attemptList(principal, wanted, Math.floor(limit ?? 50), parseCursor(cursor));
    return { attempts: rows.map(shown), ...(next === undefined ? {} : { next }) };
  },
);

interface ReplayRequest {
  id: string;
  /** One message; or */
  messageId?: string;
  /** those since then (ISO 8601), */
  from?: string;
  /** and before then. */
  until?: string;
  /** `undelivered`, if not given: what it missed while it was disabled, and what was given up. `all`: what it has had as well. */
  which?: "undelivered" | "all";
  /** `next` of the answer before. */
  cursor?: string;
}

interface ReplayResponse {
  /** How many are sent again, 100 at most. */
  replayed: number;
  /** There are more: send the same with this as `cursor`. */
  next?: string;
}

/** Sends messages of the last thirty days again, one or those of a time, the oldest first, with the ids that they had. */
export const replay = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/webhooks/endpoints/:id/replay",
    tags: ["can:webhook.replay"],
  },
  ({ id, ...req }: ReplayRequest): Promise<ReplayResponse> =>
    replayMessages(currentPrincipal(), id, parseInput(replayInput, req)),
);

interface TestEventResponse {
  /** As its attempts name it. */
  messageId: string;
}

/** Sends the endpoint a message of the type `webhooks.test`, whatever types it asks for. */
export const sendTest = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/webhooks/endpoints/:id/test",
    tags: ["can:webhook.replay"],
  },
  async ({ id }: { id: string }): Promise<TestEventResponse> => ({
    messageId: await sendTestMessage(currentPrincipal(), id, databaseClock.at(new Date())),
  }),
);

export const maintain = api({ expose: false, method: "POST", path: "/webhooks/maintain" }, async (): Promise<void> => {
  await purgeSent();
});

export const maintainHourly = new CronJob("webhooks-maintain", {
  title: "Remove what was sent to webhook endpoints thirty days ago",
  every: "1h",
  endpoint: maintain,
});
