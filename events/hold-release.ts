// What moves on what waits for consumers (holds.ts): loads replays, and gives back to the relay what no hold keeps any more.
// Runs beside each relay; of several, one is at work at a time, and what it does is one commit at a time, so that
// whoever is killed leaves the rest to the next.
import { setTimeout as sleep } from "node:timers/promises";
import { errorsTotal } from "../telemetry/metrics";
import { logger } from "../telemetry/logger";
import { holds } from "./holds";
import { signalRelay } from "./signal";
import { heldRelease } from "./store/hold";
import { replayLoad, replaysFinish, replaysLoading } from "./store/replay";

/** Rows of the outbox that one step of a replay looks at. */
const LOAD_BATCH = 2_000;
/** Events that go back into the outbox at once, and aggregates with something to publish beyond which none do. */
const RELEASE_BATCH = 500;
const OPEN_MAX = 2_000;
/** A consumer that is resumed gets its first event so much later, at most. */
const IDLE_MS = 1_000;

/** One step of everything; resolves with whether there may be more to do. */
export async function moveHeldOn(openMax: number = OPEN_MAX): Promise<boolean> {
  const loading = await replaysLoading();
  let isLoading = false;
  for (const id of loading) if (await loadOn(id)) isLoading = true;
  // Their holds may be over.
  if (loading.length > 0) holds.forget();
  const moved = await heldRelease(RELEASE_BATCH, openMax);
  if (moved > 0) signalRelay("event");
  else await replaysFinish();
  return isLoading || moved > 0;
}

/** Whether there is more of it. One that fails is tried again with the next step, and stands in nobody else's way. */
async function loadOn(replay: string): Promise<boolean> {
  try {
    return !(await replayLoad(replay, LOAD_BATCH));
  } catch (error) {
    errorsTotal.add(1, { type: "replay" });
    logger("events").error({ err: error, replay }, "a replay could not be loaded: it is tried again");
    return false;
  }
}

/** Does so until the function that it returns is called, which resolves when the step at hand is over. */
export function startHoldRelease(isReady: () => Promise<boolean>): () => Promise<void> {
  const stopped = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const isMore = await isReady()
        .then((ready) => ready && moveHeldOn())
        .catch((error: unknown) => {
          errorsTotal.add(1, { type: "hold-release" });
          logger("events").error({ err: error }, "what waits for consumers could not be moved on: it is tried again");
          return false;
        });
      if (!isMore) await sleep(IDLE_MS, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined);
    }
  };
  const running = run();
  return async () => {
    stopped.abort();
    await running;
  };
}
