// How long the runs of each tenant take, told to the turns of its queue once a second: whose jobs take ten times as long as another's
// has a tenth of its turns, so both use the same time. It weighs what is handed over from then on: what waits has its turns. Only of
// tenants that have a backlog is anything kept.
import { systemQuery } from "../db/tenant";
import { logger } from "../telemetry/logger";
import { TURNS_TIME } from "./store/tenant-turn";

const TELL_MS = 1_000;
/** Of tenants in one telling; others have their turn with the next run. */
const TENANTS_MAX = 500;

interface Total {
  queue: string;
  tenantId: string;
  runs: number;
  ms: number;
}

const totals = new Map<string, Total>();
let timer: NodeJS.Timeout | undefined;

export function noteRunTime(queue: string, tenantId: string, ms: number): void {
  const key = `${queue} ${tenantId}`;
  const total = totals.get(key);
  if (total === undefined && totals.size >= TENANTS_MAX) return;
  totals.set(key, { queue, tenantId, runs: (total?.runs ?? 0) + 1, ms: (total?.ms ?? 0) + ms });
  timer ??= setTimeout(() => void tellRunTimes(), TELL_MS).unref();
}

/** Told or forgotten: a later average says the same. */
export async function tellRunTimes(): Promise<void> {
  clearTimeout(timer);
  timer = undefined;
  const told = [...totals.values()];
  totals.clear();
  if (told.length === 0) return;
  try {
    await systemQuery("queue-turns", TURNS_TIME, [
      told.map(({ tenantId }) => tenantId),
      told.map(({ queue }) => queue),
      told.map(({ ms, runs }) => ms / runs),
    ]);
  } catch (error) {
    logger("queues").debug({ err: error }, "how long runs take could not be noted");
  }
}
