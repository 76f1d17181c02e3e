// A cancellation reaches the process that drives the saga at once, by the bus. Who misses the notice finds it in the saga's row
// within two seconds: the bus makes it faster, and nothing depends on it.
import { z } from "zod";
import type { Tx } from "../db/tenant";
import { appBus } from "../events/buses/app-bus";
import { defineNotice, type BusSubscription } from "../events/buses/bus";
import { logger } from "../telemetry/logger";

const cancelRequested = defineNotice({
  category: "system",
  type: "sagas.saga.cancel-requested",
  data: z.object({ sagaId: z.uuid() }),
});

const driving = new Map<string, () => void>();
let listening: Promise<BusSubscription> | undefined;

/** Calls `look` when the saga is canceled, which this process drives; returns the end of it. */
export function onCancelNotice(sagaId: string, look: () => void): () => void {
  driving.set(sagaId, look);
  return () => {
    if (driving.get(sagaId) === look) driving.delete(sagaId);
  };
}

/** Tells every process, when the transaction has committed. */
export function tellCanceled(tx: Tx, sagaId: string): void {
  const { tenantId } = tx;
  tx.afterCommit(() => {
    appBus()
      .publish(cancelRequested, { sagaId }, tenantId)
      .catch((error: unknown) =>
        logger("sagas").warn({ err: error, sagaId }, "a cancellation could not be told by the bus"),
      );
  });
}

/** Listens from now on, once. Rejects when Redis is away: then the next call tries again. */
export async function listenForCancels(): Promise<void> {
  listening ??= appBus().subscribe(cancelRequested, async ({ data: { sagaId } }) => driving.get(sagaId)?.());
  try {
    await listening;
  } catch (error) {
    listening = undefined;
    throw error;
  }
}
