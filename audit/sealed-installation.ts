// Since when all logs of the installation stand under seals: an entry of its own log says so. It is written when somebody said it
// by `npm run admin -- audit seal`, or by upkeep where no log lacks a seal; and again each month, and before retention removes
// anything, so that one is left. It counts only from within the chain, and as it was written.
import { withSystem } from "../db/tenant";
import { defineAction } from "./action";
import { isIntact } from "./chain";
import { auditKeys } from "./key";
import { platformLog, recordForPlatform } from "./platform";
import { entryLastOf } from "./store";

const MONTH_DAYS = 30;

const logsSealed = defineAction("audit.logs.sealed", { logs: "plain", sealed: "plain" });

export const saySealed = (fields: { logs: number; sealed: number }): Promise<void> =>
  withSystem("audit-seal", (tx) => recordForPlatform(tx, logsSealed, { fields }));

/** How many days ago it was said last. */
async function saidDaysAgo(): Promise<number | undefined> {
  const entry = await entryLastOf(platformLog, logsSealed.name);
  if (entry === undefined || entry.before === null) return undefined;
  return isIntact(auditKeys(), entry.before, entry) ? entry.ageDays : undefined;
}

export const areLogsSealed = async (): Promise<boolean> => (await saidDaysAgo()) !== undefined;

/** Whether it was said, and so long ago that it is time to say so again. */
export async function isSayingDue(): Promise<boolean> {
  const days = await saidDaysAgo();
  return days !== undefined && days > MONTH_DAYS;
}
