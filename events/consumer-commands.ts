// Consumers by command (scripts/admin.ts): the same as operators do by their endpoints, written down as the command's.
import { setTimeout as sleep } from "node:timers/promises";
import { onBehalfOf } from "../security/provenance";
import {
  discardHeld,
  endReplay,
  pauseConsumer,
  replayEvents,
  resumeConsumer,
  type ReplayWanted,
} from "./consumer-desk";
import { parseMoment } from "./dead-letter-desk";
import { moveHeldOn } from "./hold-release";
import { replayFind, type ReplayProgress } from "./store/replay";

export { listConsumers } from "./consumer-desk";

const COMMAND = "system:command";
const NO_REASON = "by command";

export const pauseConsumerByCommand = (name: string, reason: string = NO_REASON): Promise<boolean> =>
  onBehalfOf(COMMAND, () => pauseConsumer(name, reason));

export const resumeConsumerByCommand = (name: string, reason: string = NO_REASON): Promise<boolean> =>
  onBehalfOf(COMMAND, () => resumeConsumer(name, reason));

export const endReplayByCommand = (name: string, reason: string = NO_REASON): Promise<boolean> =>
  onBehalfOf(COMMAND, () => endReplay(name, reason));

export const discardHeldByCommand = (name: string, reason: string = NO_REASON): Promise<number> =>
  onBehalfOf(COMMAND, () => discardHeld(name, reason));

export interface ReplayTexts {
  consumer: string;
  /** ISO 8601, as `until`. */
  from: string;
  until?: string | undefined;
  type?: string | undefined;
  reason?: string | undefined;
}

/** As replayEvents; resolves with the replay's id. */
export function replayByCommand({ from, until, reason = NO_REASON, ...rest }: ReplayTexts): Promise<string> {
  const wanted: ReplayWanted = {
    ...rest,
    reason,
    from: parseMoment(from, "from"),
    until: parseMoment(until, "until"),
  };
  return onBehalfOf(COMMAND, () => replayEvents(wanted));
}

const LOOK_EVERY_MS = 500;

/** Helps a replay on and tells how far it has come, until it is finished. Ended half-way, the app's relays go on alone. */
export async function followReplay(id: string, tell: (progress: ReplayProgress) => void): Promise<void> {
  for (;;) {
    const isMore = await moveHeldOn();
    const progress = await replayFind(id);
    if (progress === undefined) return;
    tell(progress);
    if (progress.state === "finished") return;
    if (!isMore) await sleep(LOOK_EVERY_MS);
  }
}
