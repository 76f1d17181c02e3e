// What is kept, and for how long. Growth: one outbox row for each event and job, one inbox row for each event and
// consumer that acts on it, one dead letter for each of these given up. The inbox remembers longer than the outbox and
// any transport, or an event delivered late would act twice. A run begins every ten minutes and has five of them for
// each table (runs may overlap, they pass over each other's rows): enough to remove ten times what the pipeline can write (upkeep.pg.test.ts measures it).
import { removeEach, removeInBatches, type UpkeepBudget } from "../db/upkeep";
import { deadLetters, DEAD_LETTER_DAYS } from "./store/dead-letter";
import { declarationsPurge } from "./store/declaration";
import { detourPurge } from "./store/detour";
import { inboxPurge } from "./store/inbox";
import { OUTBOX_DAYS, outboxPurge } from "./store/outbox";
import { replayPurge } from "./store/replay";

export { OUTBOX_DAYS } from "./store/outbox";
export const INBOX_DAYS = 30;
const BUDGET: UpkeepBudget = { statementTimeoutMs: 30_000, totalMs: 300_000, batchMax: 5_000 };

export interface Purged {
  outbox: number;
  inbox: number;
  deadLetters: number;
  declarations: number;
  detours: number;
  replays: number;
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
  });
}
