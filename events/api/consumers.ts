// Consumers, for the platform's staff: which there are, how much waits for each; pausing and resuming one, and sending it again
// what happened since a time. Each act wants a reason, which stands in the installation's log.
import { api, type Header } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { operatorReasonFrom } from "../../audit/operator";
import { listConsumers, pauseConsumer, replayEvents, resumeConsumer, type ConsumerStanding } from "../consumer-desk";
import { parseMoment } from "../dead-letter-desk";

interface ConsumerReplay {
  id: string;
  /** Loading: its events are still looked up. Delivering: they are handed over. */
  state: "loading" | "delivering";
  /** Events that it brings, so far. */
  loaded: number;
  /** Those of them that are not handed over yet, counted up to a hundred thousand. */
  waiting: number;
}

interface Consumer {
  name: string;
  /** Whether a version that runs has it: one that none has is sent nothing. */
  declared: boolean;
  paused: boolean;
  /** ISO 8601. */
  pausedSince?: string;
  /** `kind:id` of an operator, or `system:command`. */
  pausedBy?: string;
  pauseReason?: string;
  /** Events that wait for it, counted up to a hundred thousand. */
  waiting: number;
  /** When the first of them occurred, ISO 8601. */
  waitingSince?: string;
  /** The one that is not finished. */
  replay?: ConsumerReplay;
}

function shownReplay({ replayId, replayLoaded, replayWaiting, isReplayLoading }: ConsumerStanding) {
  if (replayId === null) return {};
  const state = isReplayLoading ? ("loading" as const) : ("delivering" as const);
  return { replay: { id: replayId, state, loaded: replayLoaded ?? 0, waiting: replayWaiting ?? 0 } };
}

function shown(standing: ConsumerStanding): Consumer {
  const { consumer, pausedSince, pausedBy, pauseReason, waiting, waitingSince } = standing;
  return {
    name: consumer,
    declared: standing.isDeclared,
    paused: pausedSince !== null,
    ...(pausedSince === null ? {} : { pausedSince: pausedSince.toISOString() }),
    ...(pausedBy === null ? {} : { pausedBy }),
    ...(pauseReason === null ? {} : { pauseReason }),
    waiting,
    ...(waitingSince === null ? {} : { waitingSince: waitingSince.toISOString() }),
    ...shownReplay(standing),
  };
}

interface ConsumersResponse {
  consumers: Consumer[];
}

/** All consumers of versions that ran within a day, and those for which something waits. */
export const operatorConsumers = api(
  { expose: true, auth: true, method: "GET", path: "/operator/consumers", tags: ["can:operator.consumer.read"] },
  async (): Promise<ConsumersResponse> => ({ consumers: (await listConsumers()).map(shown) }),
);

interface ConsumerRequest {
  name: string;
  /** What for: it stands in the installation's log. */
  reason?: Header<"X-Operator-Reason">;
}

interface PausedConsumerResponse {
  /** False when it was paused already. */
  changed: boolean;
}

/** Holds a consumer: what is for it waits, on every replica, until it is resumed. */
export const pauseEvents = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/consumers/:name/pause",
    tags: ["can:operator.consumer.manage", "fresh"],
  },
  async ({ name, reason }: ConsumerRequest): Promise<PausedConsumerResponse> => ({
    changed: await pauseConsumer(name, operatorReasonFrom(reason)),
  }),
);

interface ResumedConsumerResponse {
  /** False when it was not paused. */
  changed: boolean;
}

/** Gives a consumer what waited, in its order, before what is new. */
export const resumeEvents = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/consumers/:name/resume",
    tags: ["can:operator.consumer.manage", "fresh"],
  },
  async ({ name, reason }: ConsumerRequest): Promise<ResumedConsumerResponse> => ({
    changed: await resumeConsumer(name, operatorReasonFrom(reason)),
  }),
);

interface ReplayRequest extends ConsumerRequest {
  /** Events that occurred at this moment or later, ISO 8601; fourteen days ago at most. */
  from: string & MinLen<1> & MaxLen<40>;
  /** And before this moment; now if it is not given. */
  until?: string & MinLen<1> & MaxLen<40>;
  /** Only events of this type, whatever their version. */
  type?: string & MinLen<1> & MaxLen<200>;
}

interface ReplayResponse {
  /** Of the replay: see `replay` in the list of consumers. */
  id: string;
}

/** Sends what happened since a time to one consumer again, which acts on it again. */
export const replayToConsumer = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/consumers/:name/replay",
    tags: ["can:operator.consumer.manage", "fresh"],
  },
  async ({ name, reason, from, until, type }: ReplayRequest): Promise<ReplayResponse> => {
    const span = { from: parseMoment(from, "from"), until: parseMoment(until, "until") };
    return { id: await replayEvents({ consumer: name, ...span, type, reason: operatorReasonFrom(reason) }) };
  },
);
