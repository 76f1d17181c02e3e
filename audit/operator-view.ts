// Logs as operators read them: an organisation's inside withOperator, the installation's own, the counts of system use.
import type { Cursor } from "../db/cursor";
import { systemUseList, type SystemUseRow } from "../db/store";
import { withSystem, type Tx } from "../db/tenant";
import type { Caller } from "../security/principal";
import { platformLog } from "./platform";
import { shownEntry, type ShownEntry } from "./shown-entry";
import { entryList, entryPage } from "./store";

export interface EntryPage {
  entries: ShownEntry[];
  next: string | undefined;
}

interface PageWanted {
  limit: number;
  cursor: Cursor | undefined;
}

/** A page of the tenant's log, in the caller's transaction. */
export async function entryListIn(
  tx: Tx,
  tenantId: string,
  reader: Caller,
  { limit, cursor }: PageWanted,
): Promise<EntryPage> {
  const { rows, next } = await entryPage(tx, tenantId, limit, cursor);
  return { entries: rows.map((row) => shownEntry(row, reader)), next };
}

/** A page of the installation's own log. */
export async function platformEntries(reader: Caller, { limit, cursor }: PageWanted): Promise<EntryPage> {
  const { rows, next } = await entryList(platformLog, undefined, limit, cursor);
  return { entries: rows.map((row) => shownEntry(row, reader)), next };
}

const HOUR_MS = 3_600_000;
/** More than there are reasons for each hour. */
const PER_HOUR_MAX = 500;

/** The counts of the last hours, the newest first. */
export function systemUses(hours: number, now: Date): Promise<SystemUseRow[]> {
  const from = new Date(now.getTime() - hours * HOUR_MS);
  return withSystem("operator-look-up", (tx) =>
    systemUseList(tx, from, new Date(now.getTime() + HOUR_MS), hours * PER_HOUR_MAX),
  );
}
