// What is kept, and for how long. The inbox remembers longer than the outbox and any transport, or an event
// delivered late would act twice.
import { withSystem, type Tx } from "../db/tenant";
import { inboxPurge } from "./store/inbox";
import { outboxPurge } from "./store/outbox";

export const OUTBOX_DAYS = 14;
export const INBOX_DAYS = 30;
const PART = 1_000;
const MAX_PARTS = 200;

/** Deletes what is past its time, in small transactions; resolves with how many rows went. */
export async function purgeExpired(): Promise<{ outbox: number; inbox: number }> {
  return {
    outbox: await inParts("outbox-purge", (tx) => outboxPurge(tx, OUTBOX_DAYS, PART)),
    inbox: await inParts("inbox-purge", (tx) => inboxPurge(tx, INBOX_DAYS, PART)),
  };
}

async function inParts(reason: string, purge: (tx: Tx) => Promise<number>): Promise<number> {
  let total = 0;
  for (let part = 0; part < MAX_PARTS; part++) {
    const gone = await withSystem(reason, purge);
    total += gone;
    if (gone < PART) break;
  }
  return total;
}
