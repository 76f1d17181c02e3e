// What is kept, and for how long. Growth: one outbox row for each event and job, one inbox row for each event and
// consumer that acts on it, one dead letter for each of these given up, one held row for each event and consumer while the
// consumer is paused, or none that runs has it and something is sent to it alone. The inbox remembers longer than the outbox and
// any transport, or an event delivered late would act twice. A run begins every ten minutes and has five of them for
// each table (runs may overlap, they pass over each other's rows): enough to remove ten times what the pipeline can write (upkeep.pg.test.ts measures it).
import { removeEach, removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { logger } from "../telemetry/logger";
import { eventsHeldExpiredTotal } from "../telemetry/metrics";
import { deadLetters, DEAD_LETTER_DAYS } from "./store/dead-letter";
import { declarationsPurge } from "./store/declaration";
import { detourPurge } from "./store/detour";
import { heldPurge } from "./store/hold";
import { inboxPurge } from "./store/inbox";
import { OUTBOX_DAYS, outboxPurge } from "./store/outbox";
import { replayPurge } from "./store/replay";

export { OUTBOX_DAYS } from "./store/outbox";
export const INBOX_DAYS = 30;
/** As long as a dead letter: whoever pauses a consumer, or takes it out of the app, has so long to decide. */
export const HELD_DAYS = 90;
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 300_000, batchMax: 5_000 };

export interface Purged {
  outbox: number;
  inbox: number;
  deadLetters: number;
  declarations: number;
  detours: number;
  replays: number;
  held: number;
}

/** Deletes what is past its time; resolves with how many rows went. `budget` holds for each table. */
export async function purgeExpired(budget: UpkeepBudget = BUDGET): Promise<Purged> {
  return removeEach({
    outbox: () => removeInBatches("outbox-purge", budget, (tx, limit) => outboxPurge(tx, OUTBOX_DAYS, limit)),
    inbox: () => removeInBatches("inbox-purge", budget, (tx, limit) => inboxPurge(tx, INBOX_DAYS, limit)),
    deadLetters: () =>
      removeInBatches("dead-letter-purge", budget, (tx, limit) => deadLetters.purge(tx, DEAD_LETTER_DAYS, limit)),
    declarations: () => removeInBatches("declaration-purge", budget, declarationsPurge),
    replays: () => removeInBatches("replay-purge", budget, (tx, limit) => replayPurge(tx, DEAD_LETTER_DAYS, limit)),
    detours: () => removeInBatches("inbox-purge", budget, (tx, limit) => detourPurge(tx, INBOX_DAYS, limit)),
    held: () => purgeHeld(budget),
  });
}

/** Of each consumer it is told how much went: nobody has decided that. */
async function purgeHeld(budget: UpkeepBudget): Promise<number> {
  const perConsumer = new Map<string, number>();
  const removed = await removeInBatches("held-purge", budget, async (tx, limit) => {
    const gone = await heldPurge(tx, HELD_DAYS, limit);
    tx.afterCommit(() => {
      for (const { consumer, gone: count } of gone) perConsumer.set(consumer, (perConsumer.get(consumer) ?? 0) + count);
    });
    return gone.reduce((sum, { gone: count }) => sum + count, 0);
  });
  for (const [consumer, count] of perConsumer) {
    eventsHeldExpiredTotal.add(count, { consumer });
    logger("events").error({ consumer, count }, `what waited for a consumer for ${HELD_DAYS} days was deleted`);
  }
  return removed;
}
